/*
 * test_measurement.c
 *		Names, sentences, refusals and JSON.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "frame/measurement.h"
#include "tap.h"

#include <ctype.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char json[MF_MEASUREMENT_JSON_MAX];

/* A cube of 10 mm, as the engine would report it. */
static MfMeasurement
cube(void)
{
	MfMeasurement m;

	memset(&m, 0, sizeof(m));
	m.format = MF_FORMAT_STL;
	m.unit = MF_UNIT_MM;
	m.unit_from = MF_UNIT_FROM_CALLER;
	m.triangles = 12;
	m.vertices = 8;
	m.bodies = 1;
	m.euler_number = 2;
	m.watertight = true;
	m.consistent_winding = true;
	m.volume_mm3 = 1000;
	m.area_mm2 = 600;
	for (int axis = 0; axis < 3; axis++)
	{
		m.bbox_min[axis] = -0.0;
		m.bbox_max[axis] = 10;
		m.centroid[axis] = 5;
	}
	m.min_wall_mm = NAN;
	m.overhang_area_mm2 = 0;
	m.support_volume_mm3 = 0.1;
	m.convex_hull_volume_mm3 = 1000;
	m.measured_in_ms = 1.5;
	return m;
}

static void
test_names(void)
{
	static const char *const errors[] = {
		"none", "truncated", "empty", "not_a_model", "malformed", "too_large",
		"too_many_triangles", "non_finite", "archive_bomb", "timeout",
		"out_of_memory", "crashed", "unsupported", "sandbox"
	};
	static const char *const unit_names[] = {
		"", "um", "mm", "cm", "m", "inch", "ft"
	};
	static const double factors[] = {1, 0.001, 1, 10, 1000, 25.4, 304.8};

	for (int i = 0; i <= MF_ERROR_LAST; i++)
		ok(strcmp(mf_error_code_name(i), errors[i]) == 0 &&
		   mf_error_code_by_name(errors[i]) == (MfErrorCode) i,
		   "error code %d is \"%s\", both ways", i, errors[i]);
	for (int i = 0; i <= MF_UNIT_LAST; i++)
		ok(strcmp(mf_unit_name(i), unit_names[i]) == 0 &&
		   mf_unit_by_name(unit_names[i]) == (MfUnit) i &&
		   mf_unit_in_mm(i) == factors[i],
		   "unit %d is \"%s\", both ways, with its factor", i, unit_names[i]);
	ok(mf_unit_by_name("MM") == MF_UNIT_NONE &&
	   mf_unit_by_name("parsec") == MF_UNIT_NONE &&
	   mf_unit_by_name(NULL) == MF_UNIT_NONE &&
	   mf_error_code_by_name("") == MF_ERROR_NONE &&
	   mf_error_code_by_name("none") == MF_ERROR_NONE &&
	   mf_error_code_by_name(NULL) == MF_ERROR_NONE,
	   "other names are none");
	ok(strcmp(mf_format_name(MF_FORMAT_3MF), "3mf") == 0 &&
	   strcmp(mf_format_name(MF_FORMAT_GLB), "glb") == 0 &&
	   strcmp(mf_unit_from_name(MF_UNIT_FROM_FILE), "file") == 0 &&
	   strcmp(mf_stage_name(MF_STAGE_WELDING), "welding") == 0 &&
	   strcmp(mf_severity_name(MF_SEVERITY_WARNING), "warning") == 0,
	   "formats, origins of units, stages and severities have names");
	for (int wrong = -1; wrong < 1000; wrong += 1000)
		ok(strcmp(mf_error_code_name(wrong), "unknown") == 0 &&
		   strcmp(mf_format_name(wrong), "unknown") == 0 &&
		   strcmp(mf_unit_name(wrong), "unknown") == 0 &&
		   strcmp(mf_unit_from_name(wrong), "unknown") == 0 &&
		   strcmp(mf_stage_name(wrong), "unknown") == 0 &&
		   strcmp(mf_severity_name(wrong), "unknown") == 0 &&
		   strcmp(mf_defect_name(wrong), "unknown") == 0 &&
		   mf_unit_in_mm(wrong) == 1 &&
		   mf_defect_message(wrong)[0] != '\0',
		   "%d is unknown everywhere", wrong);
}

/* One sentence in plain ASCII that needs no escaping. */
static bool
is_sentence(const char *text)
{
	size_t		length = strlen(text);

	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '"' ||
			text[i] == '\\' || (text[i] == '.' && i + 1 < length))
			return false;
	return length > 10 && isupper((unsigned char) text[0]) &&
		text[length - 1] == '.';
}

static void
test_defects(void)
{
	const double place[3] = {1, 2, 3};
	const double nowhere[3] = {1, NAN, 3};
	MfMeasurement m = cube();
	int			different = 0;

	for (int i = 0; i <= MF_DEFECT_LAST; i++)
	{
		bool		unique = true;

		for (int other = 0; other < i; other++)
			if (strcmp(mf_defect_message(i), mf_defect_message(other)) == 0 ||
				strcmp(mf_defect_name(i), mf_defect_name(other)) == 0)
				unique = false;
		if (is_sentence(mf_defect_message(i)) && unique)
			different++;
		else
			printf("# %s: %s\n", mf_defect_name(i), mf_defect_message(i));
	}
	ok(different == MF_DEFECT_LAST + 1,
	   "each defect has a name and a sentence of its own");

	mf_measurement_add_defect(&m, MF_DEFECT_TINY, MF_SEVERITY_INFO, 0, place,
							  false);
	mf_measurement_add_defect(&m, MF_DEFECT_TINY, MF_SEVERITY_INFO, -1, place,
							  false);
	ok(m.defect_count == 0, "nothing found, nothing listed");

	mf_measurement_add_defect(&m, MF_DEFECT_FLAT, MF_SEVERITY_ERROR, 3, place,
							  true);
	ok(m.defect_count == 1 && m.defects[0].code == MF_DEFECT_FLAT &&
	   m.defects[0].severity == MF_SEVERITY_ERROR &&
	   m.defects[0].count == 3 && m.defects[0].located &&
	   m.defects[0].repaired && m.defects[0].at[0] == 1 &&
	   m.defects[0].at[1] == 2 && m.defects[0].at[2] == 3,
	   "a defect is listed as given");
	mf_measurement_add_defect(&m, MF_DEFECT_TINY, MF_SEVERITY_INFO, 1, NULL,
							  false);
	mf_measurement_add_defect(&m, MF_DEFECT_HUGE, MF_SEVERITY_INFO, 1,
							  nowhere, false);
	ok(m.defect_count == 3 && !m.defects[1].located && !m.defects[2].located,
	   "no place and a place that is no number are no place");
	for (int i = 0; i < 2 * MF_MAX_DEFECTS; i++)
		mf_measurement_add_defect(&m, MF_DEFECT_TINY, MF_SEVERITY_INFO, 1,
								  NULL, false);
	ok(m.defect_count == MF_MAX_DEFECTS, "a full list takes no more");
}

/* A suspicious size is named, with the units that could be meant. */
static void
test_sizes(void)
{
	static const struct
	{
		double		longest;
		MfUnit		unit;
		MfDefectCode code;
		const char *wanted;
	}			cases[] = {
		{0.02, MF_UNIT_MM, MF_DEFECT_TINY, "The model measures 0.02 mm, which "
		"is very small; was it drawn in metres (20 mm)?"},
		{0.2154, MF_UNIT_MM, MF_DEFECT_TINY, "The model measures 0.215 mm, "
			"which is very small; was it drawn in centimetres (2.15 mm), "
		"inches (5.47 mm) or metres (215 mm)?"},
		{0.1, MF_UNIT_UM, MF_DEFECT_TINY, "The model measures 0.1 mm, which "
			"is very small; was it drawn in millimetres (100 mm), centimetres "
		"(1000 mm) or inches (2540 mm)?"},
		{50000, MF_UNIT_M, MF_DEFECT_HUGE, "The model measures 50000 mm, "
			"which is very large; was it drawn in millimetres (50 mm), "
		"centimetres (500 mm) or inches (1270 mm)?"},
		{1e-9, MF_UNIT_MM, MF_DEFECT_TINY, "The model measures 1e-09 mm, "
		"which is very small, so please check its unit."},
		{INFINITY, MF_UNIT_MM, MF_DEFECT_HUGE,
		"The model is larger than 10 m, so please check its unit."},
		{0.02, MF_UNIT_MM, MF_DEFECT_FLAT,
		"The model is flat and has no volume."}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const MfDefect defect = {.code = cases[i].code,.count = 1};
		MfMeasurement m = cube();
		char		text[MF_DEFECT_TEXT_MAX];

		m.unit = cases[i].unit;
		for (int axis = 0; axis < 3; axis++)
		{
			m.bbox_min[axis] = 0;
			m.bbox_max[axis] = cases[i].longest / (3 - axis);
		}
		mf_measurement_describe_defect(&m, &defect, text);
		ok(strcmp(text, cases[i].wanted) == 0, "%g mm in %s: %s",
		   cases[i].longest, mf_unit_name(cases[i].unit), text);
	}
}

/* Every kind, one and many, mended or not: a sentence that fits. */
static void
test_sentences(void)
{
	const MfMeasurement m = cube();
	int			sentences = 0;

	for (int code = 0; code <= MF_DEFECT_LAST; code++)
		for (int many = 0; many < 2; many++)
			for (int repaired = 0; repaired < 2; repaired++)
			{
				const MfDefect defect = {
					.code = (MfDefectCode) code,
					.count = many ? INT64_MAX : 1,
					.repaired = repaired != 0
				};
				char		text[MF_DEFECT_TEXT_MAX];

				mf_measurement_describe_defect(&m, &defect, text);
				if (text[strlen(text) - 1] == '?')
					text[strlen(text) - 1] = '.';
				if (strlen(text) + 1 < MF_DEFECT_TEXT_MAX && is_sentence(text))
					sentences++;
				else
					printf("# %s\n", text);
			}
	ok(sentences == 4 * (MF_DEFECT_LAST + 1), "%d sentences about defects",
	   sentences);
}

static void
test_refusals(void)
{
	MfRefusal	refusal;
	char		exact[MF_MAX_REFUSAL + 1];
	char		longer[3000];

	mf_refuse(&refusal, MF_ERROR_MALFORMED, "Line %d is \"%s\".", 7, "x");
	ok(refusal.code == MF_ERROR_MALFORMED &&
	   strcmp(refusal.text, "Line 7 is \"x\".") == 0, "a refusal as given");
	mf_refuse(&refusal, MF_ERROR_EMPTY, "a\tb\nc\x7f" "d \xc3\xa9 \xe2\x82\xac"
			  " \xf0\x9f\x98\x80 \x80\xff.");
	ok(strcmp(refusal.text, "a b c d ? ? ? ??.") == 0,
	   "control characters become spaces, other characters one question mark: %s",
	   refusal.text);

	memset(exact, 'y', sizeof(exact));
	exact[MF_MAX_REFUSAL] = '\0';
	mf_refuse(&refusal, MF_ERROR_EMPTY, "%s", exact);
	ok(strcmp(refusal.text, exact) == 0, "the longest text fits");
	memset(longer, 'z', sizeof(longer));
	longer[MF_MAX_REFUSAL + 1] = '\0';
	mf_refuse(&refusal, MF_ERROR_EMPTY, "%s", longer);
	ok(strlen(refusal.text) == MF_MAX_REFUSAL &&
	   strcmp(refusal.text + MF_MAX_REFUSAL - 4, "z...") == 0,
	   "one more is cut, visibly");
	for (int i = 0; i + 1 < (int) sizeof(longer); i += 2)
		memcpy(longer + i, "\xc3\xa9", 2);
	longer[sizeof(longer) - 1] = '\0';
	mf_refuse(&refusal, MF_ERROR_EMPTY, "%s", longer);
	ok(strlen(refusal.text) == MF_MAX_REFUSAL / 2 + 3 &&
	   strcmp(refusal.text + MF_MAX_REFUSAL / 2 - 1, "?...") == 0,
	   "a long text in another script is cut, visibly");
}

static void
test_exact(void)
{
	static const char expected[] =
	"{\"triangles\":12,\"vertices\":8,\"volume_mm3\":1000,\"area_mm2\":600,"
	"\"bbox_min\":[0,0,0],\"bbox_max\":[10,10,10],\"bodies\":1,\"cavities\":0,"
	"\"watertight\":true,\"consistent_winding\":true,\"euler_number\":2,"
	"\"defects\":[{\"code\":\"tiny\",\"severity\":\"info\",\"count\":1,"
	"\"at\":null,\"repaired\":false,\"message\":\"The model measures 10 "
	"mm, which is very small; was it drawn in centimetres (100 mm), inches "
	"(254 mm) or metres (10000 mm)?\"},{\"code\":\"inverted_body\","
	"\"severity\":\"warning\",\"count\":2,\"at\":[0.5,-1e-07,1e+20],"
	"\"repaired\":true,\"message\":\"The model has 2 parts that are inside out; "
	"all faces were turned to the outside.\"}],\"repairs\":[{\"code\":\"inverted_body\",\"count\":2}],"
	"\"trapped_volume_mm3\":0,\"overlap_volume_mm3\":0,\"holes\":0,"
	"\"min_wall_mm\":null,\"min_wall_at\":null,\"wall_samples\":0,"
	"\"wall_mm\":[0,0,0,0,0,0,0,0,0],"
	"\"overhang_area_mm2\":0,\"support_volume_mm3\":0.1,"
	"\"convex_hull_volume_mm3\":1000,\"tight_box_mm\":[0,0,0],"
	"\"centroid\":[5,5,5],\"layer_area_mm2\":null,"
	"\"layer_perimeter_mm\":null,\"layer_up_mm2\":null,"
	"\"layer_down_mm2\":null,"
	"\"measured_in_ms\":1.5,\"engine_version\":2,\"format\":\"stl\","
	"\"unit\":\"mm\",\"unit_from\":\"caller\"}";
	const double place[3] = {0.5, -1e-7, 1e20};
	MfMeasurement m = cube();
	size_t		length;
	int			wrong = 0;

	mf_measurement_add_defect(&m, MF_DEFECT_TINY, MF_SEVERITY_INFO, 1, NULL,
							  false);
	mf_measurement_add_defect(&m, MF_DEFECT_INVERTED_BODY,
							  MF_SEVERITY_WARNING, 2, place, true);
	length = mf_measurement_to_json(&m, json, sizeof(json));
	if (!ok(length == strlen(expected) && strcmp(json, expected) == 0,
			"a cube with two defects, to the letter"))
		printf("# %s\n# %s\n", json, expected);

	for (size_t size = 0; size <= length + 1; size++)
	{
		char	   *tight = malloc(size > 0 ? size : 1);
		size_t		got = mf_measurement_to_json(&m, tight, size);

		if (got != (size > length ? length : 0))
			wrong++;
		free(tight);
	}
	ok(wrong == 0, "too little room is noticed, whatever the size");

	m = cube();
	strcpy(m.extensions, "a \"b\\c\"}");
	mf_measurement_add_defect(&m, MF_DEFECT_EXTENSIONS, MF_SEVERITY_WARNING, 1,
							  NULL, false);
	mf_measurement_to_json(&m, json, sizeof(json));
	ok(strstr(json, "count here: a \\\"b\\\\c\\\"}.\"}],\"repairs\":") != NULL,
	   "names out of the file end no text");

	m = cube();
	m.volume_mm3 = NAN;
	m.centroid[1] = NAN;
	mf_measurement_to_json(&m, json, sizeof(json));
	ok(strstr(json, "\"volume_mm3\":null,") != NULL &&
	   strstr(json, "\"centroid\":null,") != NULL &&
	   strstr(json, "\"defects\":[],\"repairs\":[],") != NULL,
	   "what is not known is null, what was not found an empty list");
	m.defect_count = INT32_MAX;
	ok(mf_measurement_to_json(&m, json, sizeof(json)) > 0,
	   "a count beyond the list is not believed");
}

/* The text of volume_mm3 in the JSON of a measurement with that volume. */
static const char *
printed(double value)
{
	static const char key[] = "\"volume_mm3\":";
	MfMeasurement m = cube();
	char	   *start;

	m.volume_mm3 = value;
	if (mf_measurement_to_json(&m, json, sizeof(json)) == 0)
		return "";
	start = strstr(json, key) + strlen(key);
	start[strcspn(start, ",")] = '\0';
	return start;
}

/* RFC 8259, section 6. */
static bool
is_json_number(const char *p)
{
	if (*p == '-')
		p++;
	if (*p == '0')
		p++;
	else if (!isdigit((unsigned char) *p))
		return false;
	else
		while (isdigit((unsigned char) *p))
			p++;
	if (*p == '.')
	{
		if (!isdigit((unsigned char) *++p))
			return false;
		while (isdigit((unsigned char) *p))
			p++;
	}
	if (*p == 'e')
	{
		p++;
		if (*p == '+' || *p == '-')
			p++;
		if (!isdigit((unsigned char) *p))
			return false;
		while (isdigit((unsigned char) *p))
			p++;
	}
	return *p == '\0';
}

static void
test_numbers(void)
{
	static const struct
	{
		double		value;
		const char *text;
	}			exact[] =

	{
		{0.1, "0.1"}, {0.1 + 0.2, "0.30000000000000004"}, {-0.0, "0"},
		{1e15, "1e+15"}, {123456789012345, "123456789012345"},
		{1.0 / 3, "0.3333333333333333"}, {1e20, "1e+20"},
		{5e-324, "5e-324"}, {DBL_MIN, "2.2250738585072014e-308"},
		{DBL_MAX, "1.7976931348623157e+308"}, {-1.5, "-1.5"},
		{9007199254740993.0, "9007199254740992"},
		{2e-310, "2e-310"}, {NAN, "null"}, {INFINITY, "null"},
		{-INFINITY, "null"}
	};
	unsigned long state = 42;
	int			tried = 0;
	int			wrong = 0;

	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
	{
		const char *text = printed(exact[i].value);

		ok(strcmp(text, exact[i].text) == 0, "%s is printed as %s",
		   exact[i].text, text);
	}

	for (int i = 0; i < 20000; i++)
	{
		unsigned long bits = next_random(&state);
		double		value;
		const char *text;

		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		tried++;
		text = printed(value);
		if (!is_json_number(text) || strtod(text, NULL) != value)
			wrong++;
	}
	ok(tried > 19000 && wrong == 0,
	   "%d random doubles are JSON numbers and read back", tried);

	tried = wrong = 0;
	for (int i = 0; i < 5000; i++)
	{
		char		decimal[64];
		double		value;

		snprintf(decimal, sizeof(decimal), "%lu.%03lu",
				 next_random(&state) % 1000000, next_random(&state) % 1000);
		value = strtod(decimal, NULL);
		tried++;
		if (strlen(printed(value)) > strlen(decimal))
			wrong++;
	}
	ok(tried == 5000 && wrong == 0,
	   "what was written with few digits is printed with no more");
}

static void
test_largest(void)
{
	MfMeasurement m = cube();
	const double place[3] = {-DBL_MAX, -DBL_MAX, -DBL_MAX};

	m.triangles = m.vertices = m.bodies = m.cavities = INT64_MIN;
	m.euler_number = INT64_MIN;
	m.volume_mm3 = m.area_mm2 = m.measured_in_ms = -DBL_MAX;
	for (int i = 0; i < MF_MAX_DEFECTS; i++)
		mf_measurement_add_defect(&m, MF_DEFECT_NON_MANIFOLD_EDGES,
								  MF_SEVERITY_WARNING, INT64_MAX, place, true);
	ok(mf_measurement_to_json(&m, json, sizeof(json)) > 5000,
	   "the longest measurement fits into MF_MEASUREMENT_JSON_MAX");
}

static void
test_locale(void)
{
	static const char *const with_comma[] = {
		"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "ru_RU.UTF-8"
	};
	bool		found = false;

	for (size_t i = 0; i < sizeof(with_comma) / sizeof(with_comma[0]); i++)
		if (!found && setlocale(LC_ALL, with_comma[i]) != NULL &&
			strcmp(localeconv()->decimal_point, ".") != 0)
			found = true;
	if (!found)
	{
		skip(1, "no locale with a decimal comma here");
		return;
	}
	ok(strcmp(printed(0.1), "0.1") == 0 &&
	   strcmp(printed(0.1 + 0.2), "0.30000000000000004") == 0,
	   "the decimal point is one in a locale with a comma");
	setlocale(LC_ALL, "C");
}

int
main(void)
{
	test_names();
	test_defects();
	test_sizes();
	test_sentences();
	test_refusals();
	test_exact();
	test_numbers();
	test_largest();
	test_locale();
	return done_testing();
}
