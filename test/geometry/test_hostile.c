/*
 * test_hostile.c
 *		Damaged files: every answer is a measurement with finite numbers, or a
 *		refusal with a code and a sentence.
 */
#include "shapes.h"
#include "tap.h"

/* A model with a bit of everything. */
static void
make_model(Soup *soup)
{
	add_box(soup, 0, 0, 0, 10, 10, 10, false);
	add_box(soup, 2, 2, 2, 4, 4, 4, true);
	add_tetrahedron(soup, 5, 5, 5, 1);
}

/* The same with polygons: a prism of an L, a pyramid, all kinds of lines. */
static void
write_obj(Bytes *bytes)
{
	add_text(bytes, "# test\nmtllib a.mtl\no l\nv 0 0 0\nv 10 0 0\n"
			 "v 10.0 3e0 0 1\nv 3 3 0 0.5 0.5 0.5\r\nv 3 10 0\nv 0 10 0\n"
			 "v 0 0 5\nv 10 0 5\nv 10 3 5\nv 3 3 5\nv 3 10 5\nv 0 10 5\n"
			 "vt 0 0\nvn 0 0 1\nusemtl red\ns off\n"
			 "f 9//1 10//1 11//1 12//1 7//1 8//1\nf 3 2 1 6 5 4\n"
			 "f 1/1 2/1 8/1 7/1\nf 2 3 \\\n9 8\nf -9 -10 -4 -3\n"
			 "f 4/1/1 5/1/1 11/1/1 10/1/1\nf 5 6 12 11\nf 6 1 7 12 # end\n");
	add_text(bytes, "g pyramid\nv 20 0 0\nv 30 0 0\nv 30 10 0\nv 20 10 0\n"
			 "v 25 5 10\nf -2 -3 -4 -5\nf 13 14 17\nf 14 15 17\nf 15 16 17\n"
			 "f 16 13 17\nl 1 2\np 3\n");
}

static void
test_truncation(const Bytes *bytes, const char *what)
{
	int			bad = 0;

	for (size_t size = 0; size <= bytes->size; size++)
		bad += !answers_sanely(bytes->at, size);
	ok(bad == 0, "%s, cut off after each of its %zu bytes", what, bytes->size);
}

static void
test_bit_flips(Bytes *bytes, const char *what)
{
	int			bad = 0;

	for (size_t bit = 0; bit < 8 * bytes->size; bit++)
	{
		bytes->at[bit / 8] ^= 1 << bit % 8;
		bad += !answers_sanely(bytes->at, bytes->size);
		bytes->at[bit / 8] ^= 1 << bit % 8;
	}
	ok(bad == 0, "%s, each of its %zu bits flipped", what, 8 * bytes->size);
}

/* Many places at once. */
static void
test_noise(const Bytes *bytes, const char *what, bool text)
{
	static const char alphabet[] = " \n\r\t0123456789.,+-/#eEnaifvxsol\"\\%";
	uint64_t	state = 11;
	int			bad = 0;

	for (int round = 0; round < 20000; round++)
	{
		Bytes		noisy = {0};
		const int	places = 1 + next_random(&state) % 6;

		add_bytes(&noisy, bytes->at, bytes->size);
		for (int i = 0; i < places; i++)
		{
			const uint64_t random = next_random(&state);
			size_t		at = random % noisy.size;

			if (text)
				noisy.at[at] = alphabet[(random >> 32) %
										(sizeof(alphabet) - 1)];
			else
				noisy.at[at] = (uint8_t) (random >> 32);
			if ((random >> 48) % 16 == 0 && noisy.size > 200)
			{
				/* Take some out, which moves all that follows. */
				const size_t length = (random >> 52) % 100;

				if (at + length < noisy.size)
				{
					memmove(noisy.at + at, noisy.at + at + length,
							noisy.size - at - length);
					noisy.size -= length;
				}
			}
		}
		bad += !answers_sanely(noisy.at, noisy.size);
		free_bytes(&noisy);
	}
	ok(bad == 0, "%s, damaged in several places, 20,000 times", what);
}

/* Coordinates of all sizes, so that products overflow and vanish. */
static void
test_wild_coordinates(void)
{
	uint64_t	state = 13;
	int			bad = 0;

	for (int round = 0; round < 5000; round++)
	{
		Soup		soup = {0};
		Bytes		bytes;
		const int	spread = 1 + round % 45;

		make_model(&soup);
		for (size_t t = 0; t < soup.count; t++)
			for (int i = 0; i < 3; i++)
				if (next_random(&state) % 4 == 0)
					soup.triangle[t][i][next_random(&state) % 3] =
						(float) ldexp(1, 23 - (int) (next_random(&state) %
													 (4 * spread)));
		bytes = as_binary(&soup);
		bad += !answers_sanely(bytes.at, bytes.size);
		free_bytes(&bytes);
		free_soup(&soup);
	}
	ok(bad == 0, "coordinates of all sizes, 5,000 times");
}

/*
 * Polygons over few places, so that they cross, touch and double back in all
 * ways there are; sometimes too large or too small for a product.
 */
static void
test_wild_polygons(void)
{
	static const double sizes[] = {1, 1e-3, 1e6, 1e160, 1e-160, 0.1};
	uint64_t	state = 19;
	int			bad = 0;
	int			measured = 0;

	for (int round = 0; round < 5000; round++)
	{
		Bytes		bytes = {0};
		MfMeasurement m;
		MfRefusal	refusal;
		const int	places = 3 + round % 12;
		const double size = sizes[next_random(&state) % 6];
		int64_t		triangles = 0;

		for (int v = 0; v < places; v++)
			add_text(&bytes, "v %.17g %.17g %.17g\n",
					 (next_random(&state) % 4) * size,
					 (next_random(&state) % 4) * size,
					 (round % 3 ? 0 : next_random(&state) % 4) * size);
		for (int f = 0; f < 5; f++)
		{
			const int	corners = 3 + next_random(&state) % (4 * places);

			add_text(&bytes, "f");
			for (int i = 0; i < corners; i++)
				add_text(&bytes, " %d", 1 + (int) (next_random(&state) %
												   places));
			add_text(&bytes, "\n");
			triangles += corners - 2;
		}
		if (measure_bytes(bytes.at, bytes.size, NULL, &m, &refusal))
		{
			measured++;
			bad += !sane_measurement(&m) || m.triangles != triangles;
		}
		else
			bad += !sane_refusal(&refusal);
		free_bytes(&bytes);
	}
	ok(bad == 0 && measured > 1000,
	   "polygons of any shape, 5,000 times, %d of them measured", measured);
}

/* Many triangles over few vertices: every kind of edge there is. */
static void
test_tangles(void)
{
	uint64_t	state = 17;
	int			bad = 0;

	for (int round = 0; round < 5000; round++)
	{
		Soup		soup = {0};
		Bytes		bytes;
		const int	corners = 3 + round % 20;
		const int	count = 1 + next_random(&state) % 60;

		for (int t = 0; t < count; t++)
		{
			double		at[3][3];

			for (int i = 0; i < 3; i++)
			{
				const int	corner = next_random(&state) % corners;

				at[i][0] = corner % 3;
				at[i][1] = corner / 3 % 3;
				at[i][2] = corner / 9;
			}
			add_triangle(&soup, at[0], at[1], at[2]);
		}
		bytes = as_binary(&soup);
		bad += !answers_sanely(bytes.at, bytes.size);
		free_bytes(&bytes);
		free_soup(&soup);
	}
	ok(bad == 0, "tangles of triangles, 5,000 times");
}

/* Words and numbers without an end. */
static void
test_long_words(void)
{
	static const char *const beginnings[] = {
		"solid ", "solid x\n", "solid x\nfacet normal ",
		"solid x\nfacet normal 0 0 0 outer loop vertex ",
		"solid x\nfacet outer loop vertex 0 0 0 vertex 1 0 0 vertex 0 1 0 ",
		"", "#", "v ", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf ",
		"v 0 0 0\nf 1 1 1 1 ", "v 0 0 0 \\\n", "mtllib a\n"
	};

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		for (int c = 0; c < 4; c++)
		{
			const size_t size = 3000000;
			Bytes		bytes = {0};
			uint8_t    *filler = checked(malloc(size));

			memset(filler, "1 x\n"[c], size);
			add_text(&bytes, "%s", beginnings[i]);
			add_bytes(&bytes, filler, size);
			ok(answers_sanely(bytes.at, bytes.size),
			   "3,000,000 of one character, %zu, %d", i, c);
			free(filler);
			free_bytes(&bytes);
		}
}

int
main(void)
{
	Soup		soup = {0};
	Bytes		binary;
	Bytes		ascii;
	Bytes		obj = {0};

	make_model(&soup);
	binary = as_binary(&soup);
	ascii = as_ascii(&soup);
	write_obj(&obj);
	test_truncation(&binary, "a binary file");
	test_truncation(&ascii, "an ASCII file");
	test_truncation(&obj, "an OBJ file");
	test_bit_flips(&binary, "a binary file");
	test_bit_flips(&ascii, "an ASCII file");
	test_bit_flips(&obj, "an OBJ file");
	test_noise(&binary, "a binary file", false);
	test_noise(&ascii, "an ASCII file", true);
	test_noise(&obj, "an OBJ file", true);
	test_noise(&obj, "an OBJ file", false);
	test_wild_polygons();
	test_wild_coordinates();
	test_tangles();
	test_long_words();
	free_bytes(&binary);
	free_bytes(&ascii);
	free_bytes(&obj);
	free_soup(&soup);
	return tap_done();
}
