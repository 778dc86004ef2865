/*
 * test_print.c
 *		Print time and material: closed forms, what must grow with what, and
 *		numbers that no printer has.
 */
#include <math.h>
#include <string.h>

#include "geometry/tap.h"
#include "machine/inset.h"
#include "machine/print.h"

static uint64_t dice = 7;

/* A number from 0 to below 1 (xorshift, Marsaglia 2003). */
static double
roll(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (double) (dice >> 11) / 9007199254740992.0;
}

static bool
is_near(double a, double b, double relative)
{
	return fabs(a - b) <= relative * fmax(fabs(a), fabs(b));
}

/* A box with sides x and y, z high. */
static void
make_box(double x, double y, double z, MfLayers *layers)
{
	mf_print_prism(x * y * z, 2 * (x * y + y * z + z * x), z, layers);
}

static MfPrint
print_layers(const MfLayers *layers, double height, const MfPrintSettings *s)
{
	MfPrint		print;

	if (!mf_print_estimate(layers, height, s, &print))
		ok(false, "there is an estimate");
	return print;
}

static MfPrint
print_box(double x, double y, double z, const MfPrintSettings *s)
{
	MfLayers	layers;

	make_box(x, y, z, &layers);
	return print_layers(&layers, z, s);
}

static void
test_insets(void)
{
	MfInset		inset;

	mf_inset_start(M_PI * 100, 20 * M_PI, &inset);
	mf_inset_to(&inset, 3);
	ok(is_near(inset.area, 49 * M_PI, 1e-12) &&
	   is_near(inset.perimeter, 14 * M_PI, 1e-12),
	   "a disc of 10 mm, inset by 3, is one of 7");
	mf_inset_to(&inset, 10.01);
	ok(inset.area == 0 && inset.perimeter == 0, "nothing is left beyond its centre");
	mf_inset_start(400, 80, &inset);
	mf_inset_to(&inset, 4);
	ok(is_near(inset.area, 144, 1e-12) && is_near(inset.perimeter, 48, 1e-12),
	   "a square of 20 mm, inset by 4, is one of 12");
	mf_inset_to(&inset, 11);
	ok(inset.area == 0, "and nothing beyond its centre");
	mf_inset_start(36 * M_PI, 36 * M_PI, &inset);
	mf_inset_to(&inset, 0.5);
	ok(is_near(inset.area, 18 * M_PI, 0.01), "a ring of 2 mm, inset by 0.5, has half its area");
	ok(!mf_inset_start(0, 1, &inset) && !mf_inset_start(1, 0, &inset) &&
	   !mf_inset_start(NAN, 1, &inset), "no cross section is no inset");
	ok(is_near(mf_print_spacing(0.45, 0.2), 0.45 - 0.2 * (1 - M_PI / 4), 1e-12),
	   "lines with round ends lie closer than their width");
}

/* A cube of 20 mm in closed form: 100 layers, 8 of them solid. */
static void
test_cube(void)
{
	MfPrintSettings s;
	MfPrint		print;
	double		gap;
	double		side;
	double		region;

	mf_print_defaults(&s);
	print = print_box(20, 20, 20, &s);
	gap = mf_print_spacing(s.line_width, s.layer_height);
	side = 20 - 2 * (s.line_width + gap);
	region = side * side + s.inside_overlap * s.line_width * 4 * side;
	ok(print.layers == 100, "a cube of 20 mm has 100 layers");
	ok(is_near(print.walls.length,
			   100 * 4 * (20 - s.line_width + 20 - s.line_width - 2 * gap), 1e-9),
	   "two loops in each");
	ok(is_near(print.solid.length, 8 * region / gap, 1e-9),
	   "four solid layers below and four above");
	ok(is_near(print.infill.length,
			   92 * region / gap * s.infill * (1 + s.infill_anchors * (1 - s.infill)), 1e-9),
	   "infill in the others");
	ok(is_near(print.volume, (print.walls.length + print.solid.length +
							  print.infill.length) * gap * s.layer_height, 1e-12),
	   "volume is length times cross section");
	ok(is_near(print.seconds, print.walls.seconds + print.solid.seconds +
			   print.infill.seconds + print.pause_seconds +
			   print.cooling_seconds, 1e-12), "the parts add up to the time");
	ok(is_near(print.pause_seconds, 100 * s.layer_pause, 1e-12), "a pause for each layer");
}

static double
lines_of(const MfPrint *print)
{
	return print->walls.length + print->solid.length + print->infill.length;
}

/*
 * Layers that are printed slower than they could be: what 100 more of them
 * add to a column.
 */
static void
test_cooling(void)
{
	MfPrintSettings s;
	MfPrint		low;
	MfPrint		high;

	mf_print_defaults(&s);
	low = print_box(14, 14, 20, &s);
	high = print_box(14, 14, 40, &s);
	ok(is_near(high.seconds - low.seconds, 100 * s.min_layer_time, 1e-9),
	   "a small layer takes the least time of a layer");
	low = print_box(2, 2, 20, &s);
	high = print_box(2, 2, 40, &s);
	ok(is_near(high.seconds - low.seconds, (lines_of(&high) - lines_of(&low)) /
			   s.min_speed + 100 * s.layer_pause, 1e-9),
	   "but is printed no slower than the least speed");
	s.min_layer_time = 0;
	low = print_box(2, 2, 20, &s);
	ok(low.cooling_seconds == 0, "or as fast as it can, where no time is needed");
}

static void
test_shapes(void)
{
	MfPrintSettings s;
	MfPrint		cube;
	MfPrint		plate;
	MfPrint		ledge;
	MfPrint		column;
	MfLayers	layers;

	mf_print_defaults(&s);
	cube = print_box(20, 20, 20, &s);
	mf_print_prism(8000, 7200, 20, &layers);
	plate = print_layers(&layers, 20, &s);
	ok(plate.seconds > 1.5 * cube.seconds && plate.walls.length > 2 * cube.walls.length,
	   "of equal volume, the one with more walls takes longer");
	ok(plate.volume > cube.volume, "and more material");

	column = print_box(8, 8, 30, &s);
	ok(column.infill.length == 0, "a small inside is solid everywhere");
	s.solid_below = 0;
	column = print_box(8, 8, 30, &s);
	ok(column.infill.length > 0, "unless the printer is set otherwise");

	/* A level face of 100 mm2 half way up is on four solid layers. */
	mf_print_defaults(&s);
	make_box(20, 20, 20, &layers);
	layers.up[127] = 100;
	ledge = print_layers(&layers, 20, &s);
	ok(is_near(ledge.solid.length, cube.solid.length * (1 + 4.0 * 100 / 400 / 8), 1e-9),
	   "a ledge is printed on solid layers");
}

static void
test_growth(void)
{
	MfPrintSettings s;
	MfPrint		before = {0};
	int			wrong = 0;

	mf_print_defaults(&s);
	for (int i = 0; i <= 20; i++)
	{
		MfPrint		print;

		s.infill = i / 20.0;
		print = print_box(30, 40, 25, &s);
		wrong += print.volume < before.volume || print.seconds < before.seconds;
		before = print;
	}
	ok(wrong == 0, "more infill never takes less time or material");
	ok(is_near(before.volume, 30 * 40 * 25, 0.03), "full, it is the volume of the model");

	mf_print_defaults(&s);
	wrong = 0;
	for (int i = 1; i <= 6; i++)
	{
		MfPrint		print;

		s.layer_height = i * 0.05;
		print = print_box(30, 40, 24, &s);
		wrong += i > 1 && print.seconds >= before.seconds;
		wrong += print.layers != (int64_t) (24 / s.layer_height + 0.5);
		before = print;
	}
	ok(wrong == 0, "higher layers take less time");

	mf_print_defaults(&s);
	wrong = 0;
	for (int i = 0; i <= 12; i++)
	{
		MfPrint		print;

		s.perimeters = i;
		print = print_box(30, 40, 24, &s);
		wrong += i > 0 && print.volume < before.volume;
		before = print;
	}
	ok(wrong == 0, "more loops never take less material");
}

static void
test_limits(void)
{
	MfPrintSettings s;
	MfPrint		print;
	MfPrint		one;
	MfLayers	layers;

	mf_print_defaults(&s);
	s.layer_height = 0.0625;
	one = print_box(20, 20, 64, &s);
	print = print_box(20, 20, 640, &s);
	ok(one.layers == 1024 && print.layers == 10240 &&
	   is_near(print.walls.length, 10 * one.walls.length, 1e-9),
	   "ten times as many layers than are counted one by one");
	ok(is_near(print.solid.length, one.solid.length, 1e-9),
	   "of which as many are solid");
	make_box(20, 20, 20, &layers);
	ok(!mf_print_estimate(&layers, 0, &s, &print) &&
	   !mf_print_estimate(&layers, NAN, &s, &print) &&
	   !mf_print_estimate(&layers, INFINITY, &s, &print) &&
	   !mf_print_estimate(&layers, 1e12, &s, &print), "no height, no estimate");
	s.layer_height = 0;
	ok(!mf_print_estimate(&layers, 20, &s, &print), "no layer height, no estimate");
	mf_print_defaults(&s);
	layers.count = 0;
	ok(!mf_print_estimate(&layers, 20, &s, &print), "no layers, no estimate");
	mf_print_prism(NAN, 1, 1, &layers);
	ok(layers.count == 0, "no volume, no prism");
	mf_print_prism(1e-300, 1e300, 1, &layers);
	ok(layers.count == 0, "nor where it would have no finite outline");
}

/* Whatever the numbers: an estimate that is finite, or none. */
static void
test_random(void)
{
	int			wrong = 0;
	int			estimates = 0;

	for (int round = 0; round < 20000; round++)
	{
		MfPrintSettings s;
		MfPrint		print;
		MfLayers	layers;
		const double wild = round % 4 == 0 ? 300 : 6;
		double	   *const number[] = {&s.layer_height, &s.line_width, &s.infill,
			&s.solid_below, &s.outer_speed, &s.wall_speed, &s.infill_speed,
			&s.solid_speed, &s.top_speed, &s.bridge_speed, &s.first_layer_speed,
			&s.acceleration, &s.corner_speed, &s.layer_pause, &s.min_layer_time,
		&s.min_speed, &s.wall_slowness, &s.infill_anchors, &s.inside_overlap};

		mf_print_defaults(&s);
		for (int i = (int) (roll() * 4); i > 0; i--)
			*number[(int) (roll() * 19)] = pow(10, wild * (roll() - 0.5));
		s.perimeters = (int) (roll() * 1000);
		layers.count = MF_LAYERS;
		for (int i = 0; i < MF_LAYERS; i++)
		{
			layers.area[i] = roll() < 0.1 ? 0 : (float) pow(10, wild / 8 * (roll() - 0.5));
			layers.perimeter[i] = (float) pow(10, wild / 8 * (roll() - 0.5));
			layers.up[i] = roll() < 0.5 ? 0 : (float) roll();
			layers.down[i] = roll() < 0.5 ? 0 : (float) (1e30 * roll());
		}
		if (!mf_print_estimate(&layers, pow(10, wild * (roll() - 0.5)), &s, &print))
			continue;
		estimates++;
		wrong += !isfinite(print.seconds) || !isfinite(print.volume) ||
			print.walls.length < 0 || print.solid.length < 0 ||
			print.infill.length < 0 || print.cooling_seconds < 0 ||
			print.seconds < 0;
	}
	ok(wrong == 0, "no number that is not finite, and none below zero");
	ok(estimates > 10000, "most of them have an estimate");
}

int
main(void)
{
	test_insets();
	test_cube();
	test_cooling();
	test_shapes();
	test_growth();
	test_limits();
	test_random();
	return tap_done();
}
