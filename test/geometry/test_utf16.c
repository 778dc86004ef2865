/*
 * test_utf16.c
 *		Text formats in UTF-16 say what they say in UTF-8.
 */
#include "../../src/geometry/text.h"
#include "shapes.h"
#include "tap.h"

static void
add_unit(Bytes *bytes, bool big, uint32_t unit)
{
	const uint8_t two[2] = {
		(uint8_t) (big ? unit >> 8 : unit), (uint8_t) (big ? unit : unit >> 8)
	};

	add_bytes(bytes, two, 2);
}

/* Plain ASCII, with this character after the first line's third. */
static Bytes
widen(const Bytes *text, bool big, uint32_t inserted)
{
	Bytes		bytes = {0};

	add_unit(&bytes, big, 0xfeff);
	for (size_t i = 0; i < text->size; i++)
	{
		add_unit(&bytes, big, text->at[i]);
		if (i != 8 || inserted == 0)
			continue;
		if (inserted >= 0x10000)
			add_unit(&bytes, big, 0xd800 + ((inserted - 0x10000) >> 10));
		add_unit(&bytes, big, inserted < 0x10000 ? inserted :
				 0xdc00 + ((inserted - 0x10000) & 0x3ff));
	}
	return bytes;
}

/* Is this measured like the text that it was made of? */
static void
is_same(const char *what, const Bytes *text, bool big, uint32_t inserted)
{
	Bytes		wide = widen(text, big, inserted);
	MfMeasurement one;
	MfMeasurement other;
	MfRefusal	refusal = {0};
	bool		good;

	good = measure_bytes(text->at, text->size, NULL, &one, &refusal) &&
		measure_bytes(wide.at, wide.size, NULL, &other, &refusal);
	if (!good)
		printf("# %s\n", refusal.text);
	ok(good && one.format == other.format &&
	   one.triangles == other.triangles && one.vertices == other.vertices &&
	   one.volume_mm3 == other.volume_mm3 && one.area_mm2 == other.area_mm2 &&
	   one.volume_mm3 == 1000 && other.defect_count == 0,
	   "%s, %s byte first, U+%04x", what, big ? "high" : "low", inserted);
	free_bytes(&wide);
}

static void
test_formats(void)
{
	static const uint32_t inserted[] = {
		0, 'x', 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff, 0xdc00,
		0xdfff, 0xe000, 0xffff, 0x10000, 0x1f600, 0x10ffff
	};
	Soup		soup = {0};
	Bytes		stl;
	Bytes		obj;

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	stl = as_ascii(&soup);
	obj = as_obj(&soup);
	for (size_t i = 0; i < sizeof(inserted) / sizeof(inserted[0]); i++)
		for (int big = 0; big < 2; big++)
		{
			is_same("STL", &stl, big, inserted[i]);
			/* The name of the object ends before that. */
			if (inserted[i] == 0)
				is_same("OBJ", &obj, big, 0);
		}
	free_bytes(&stl);
	free_bytes(&obj);
	free_soup(&soup);
}

/* All characters there are, against the layout of UTF-8 by hand. */
static void
test_characters(void)
{
	for (int big = 0; big < 2; big++)
	{
		MfRefusal	refusal = {0};
		MfJob		job = {.refusal = &refusal};
		Bytes		wide = {0};
		Bytes		wanted = {0};
		uint8_t    *text;
		size_t		size = 0;

		add_unit(&wide, big, 0xfeff);
		for (uint32_t c = 0; c < 0x110000; c++)
		{
			const uint8_t four[4] = {
				(uint8_t) (0xf0 | c >> 18), (uint8_t) (0x80 | (c >> 12 & 63)),
				(uint8_t) (0x80 | (c >> 6 & 63)), (uint8_t) (0x80 | (c & 63))
			};

			if (c >= 0x10000)
			{
				add_unit(&wide, big, 0xd800 + ((c - 0x10000) >> 10));
				add_unit(&wide, big, 0xdc00 + ((c - 0x10000) & 0x3ff));
				add_bytes(&wanted, four, 4);
				continue;
			}
			/* Low halves first: none of them makes a pair. */
			add_unit(&wide, big, c >= 0xd800 && c < 0xe000 ? c ^ 0x400 : c);
			if (c < 0x80)
				add_bytes(&wanted, &c, 1);
			else if (c < 0x800)
			{
				const uint8_t lead = (uint8_t) (0xc0 | c >> 6);

				add_bytes(&wanted, &lead, 1);
				add_bytes(&wanted, four + 3, 1);
			}
			else if (c >= 0xd800 && c < 0xe000)
				add_bytes(&wanted, "\357\277\275", 3);
			else
			{
				const uint8_t lead = (uint8_t) (0xe0 | c >> 12);

				add_bytes(&wanted, &lead, 1);
				add_bytes(&wanted, four + 2, 2);
			}
		}
		add_bytes(&wide, "x", 1);
		job.bytes = wide.at;
		job.size = wide.size;
		text = mf_text_from_utf16(&job, &size);
		ok(text != NULL && size == wanted.size &&
		   memcmp(text, wanted.at, size) == 0 && job.memory.used == size,
		   "all characters, %s byte first", big ? "high" : "low");
		mf_memory_free(&job.memory, text, size);
		free_bytes(&wide);
		free_bytes(&wanted);
	}
}

/* What is refused is refused as its text would be. */
static void
test_refused(void)
{
	static const struct
	{
		const char *text;
		MfErrorCode wanted;
		const char *words;
	}			cases[] = {
		{"", MF_ERROR_EMPTY, "The file is empty"},
		{"hello, world", MF_ERROR_NOT_A_MODEL, "not a 3D model"},
		{"solid x\nfacet normal 0 0 0\nouter loop\nvertex 0 0 nan\n",
		MF_ERROR_NON_FINITE, "Line 4"},
		{"v 0 0 0\nf 1 2 3\n", MF_ERROR_MALFORMED, "Line 2"},
		{"<?xml version=\"1.0\" encoding=\"UTF-16\"?>",
		MF_ERROR_UNSUPPORTED, "XML"}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int big = 0; big < 2; big++)
		{
			Bytes		text = {0};
			Bytes		wide;
			MfMeasurement m;
			MfRefusal	refusal = {0};

			add_text(&text, "%s", cases[i].text);
			wide = widen(&text, big, 0);
			ok(!measure_bytes(wide.at, wide.size, NULL, &m, &refusal) &&
			   sane_refusal(&refusal) && refusal.code == cases[i].wanted &&
			   strstr(refusal.text, cases[i].words) != NULL,
			   "refused: %s", cases[i].words);
			printf("# %s\n", refusal.text);
			free_bytes(&text);
			free_bytes(&wide);
		}
}

/* Little memory is a clean answer. */
static void
test_memory(void)
{
	Soup		soup = {0};
	Bytes		text;
	Bytes		wide;
	MfGeometryOptions options = {.memory_limit = 1000};
	MfMeasurement m;
	MfRefusal	refusal = {0};

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	text = as_ascii(&soup);
	wide = widen(&text, false, 0);
	ok(!measure_bytes(wide.at, wide.size, &options, &m, &refusal) &&
	   refusal.code == MF_ERROR_OUT_OF_MEMORY, "no memory for the text");
	free_bytes(&text);
	free_bytes(&wide);
	free_soup(&soup);
}

int
main(void)
{
	test_formats();
	test_characters();
	test_refused();
	test_memory();
	return tap_done();
}
