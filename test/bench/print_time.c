/*
 * print_time.c
 *		Print time and material of models, without a slicer; and the fit of
 *		what the estimate cannot know.
 *
 *		print_time estimate FILE
 *			prints "SCALE KEY LAYERS SECONDS MM3 MS US": the scale that gives
 *			the model a sensible size, a word that equal models have in common,
 *			the estimate, milliseconds from the file to the estimate (reading,
 *			welding, repair, layers) and microseconds of the estimate alone,
 *			both the median of several runs
 *		print_time fit
 *			reads lines "FILE SCALE SECONDS MM3" of a slicer's prints, and
 *			prints the settings that fit them best, and the errors on each
 *			model of settings fitted to all the others
 *
 * Exit status 1: the file is no closed model that would be priced by itself.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "geometry/geometry.h"
#include "geometry/whole.h"
#include "machine/print.h"

#define RUNS		5
#define MAX_MODELS	200
#define KNOBS		4
#define FIT_ROUNDS	40

/* Longest sides in mm that are sensible as they are, and the one for others. */
#define SHORTEST	8.0
#define LONGEST		180.0
#define USUAL		60.0

typedef struct Model
{
	MfLayers	layers;			/* scaled */
	double		height;
	double		seconds;		/* the slicer's */
	double		volume;
} Model;

typedef struct Error
{
	double		seconds;		/* relative, without sign */
	double		volume;
} Error;

static double
now_in_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

static uint8_t *
read_file(const char *name, size_t *size)
{
	FILE	   *file = fopen(name, "rb");
	uint8_t    *bytes;
	long		end;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) < 0)
		exit(2);
	rewind(file);
	bytes = malloc((size_t) end + 1);
	*size = fread(bytes, 1, (size_t) end, file);
	fclose(file);
	return bytes;
}

/* What a print time needs of a file, and no more; false: it cannot be had. */
static bool
measure_layers(const uint8_t *bytes, size_t size, MfMeasurement *m)
{
	MfRefusal	refusal;
	MfJob		job = {.bytes = bytes,.size = size,.basic = true,
		.max_triangles = MF_DEFAULT_MAX_TRIANGLES,.refusal = &refusal,.share = 1
	};
	MfScene		scene = {0};
	bool		good;

	memset(m, 0, sizeof(*m));
	good = mf_scene_read(&job, &scene, &m->format);
	job.unit_in_mm = mf_unit_in_mm(scene.unit);
	job.unit_name = mf_unit_name(scene.unit);
	good = good && mf_scene_settle(&job, &scene);
	for (uint32_t p = 0; good && p < scene.pose_count; p++)
		if (!scene.part[scene.pose[p].part].measured)
			good = mf_part_measure(&job, &scene.part[scene.pose[p].part]);
	good = good && mf_totals_measure(&job, &scene, m) &&
		mf_layers_measure(&job, &scene, m);
	mf_scene_free(&job, &scene);
	return good && m->layers.count > 0;
}

/* Would a price be made of it without a person? */
static bool
is_sound(const uint8_t *bytes, size_t size)
{
	MfGeometryOptions options = {0};
	MfMeasurement m;
	MfRefusal	refusal;

	if (!mf_geometry_measure(bytes, size, &options, &m, &refusal) || isnan(m.volume_mm3))
		return false;
	for (int i = 0; i < m.defect_count; i++)
		if (m.defects[i].severity == MF_SEVERITY_ERROR &&
			m.defects[i].code != MF_DEFECT_TINY && m.defects[i].code != MF_DEFECT_HUGE)
			return false;
	return true;
}

static double
choose_scale(const MfMeasurement *m)
{
	double		longest = 0;

	for (int i = 0; i < 3; i++)
		longest = fmax(longest, m->bbox_max[i] - m->bbox_min[i]);
	return longest >= SHORTEST && longest <= LONGEST ? 1 : USUAL / longest;
}

static void
scale_model(const MfMeasurement *m, double scale, Model *model)
{
	model->layers = m->layers;
	model->height = (m->bbox_max[2] - m->bbox_min[2]) * scale;
	for (int i = 0; i < MF_LAYERS; i++)
	{
		model->layers.area[i] *= (float) (scale * scale);
		model->layers.perimeter[i] *= (float) scale;
		model->layers.up[i] *= (float) (scale * scale);
		model->layers.down[i] *= (float) (scale * scale);
	}
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *) a;
	const double y = *(const double *) b;

	return (x > y) - (x < y);
}

static int
estimate(const char *name)
{
	MfPrintSettings settings;
	MfPrint		print = {0};
	MfMeasurement m;
	Model		model;
	size_t		size;
	uint8_t    *bytes = read_file(name, &size);
	double		whole[RUNS];
	double		alone[RUNS];
	double		scale = 1;

	if (!is_sound(bytes, size))
		return 1;
	mf_print_defaults(&settings);
	for (int run = 0; run < RUNS; run++)
	{
		const double start = now_in_ms();
		double		middle;

		if (!measure_layers(bytes, size, &m))
			return 1;
		scale = choose_scale(&m);
		scale_model(&m, scale, &model);
		middle = now_in_ms();
		if (!mf_print_estimate(&model.layers, model.height, &settings, &print))
			return 1;
		whole[run] = now_in_ms() - start;
		alone[run] = now_in_ms() - middle;
	}
	qsort(whole, RUNS, sizeof(double), compare);
	qsort(alone, RUNS, sizeof(double), compare);
	printf("%.17g %.4g/%.4g/%.4g/%.3g %lld %.1f %.2f %.3f %.1f\n", scale,
		   (m.bbox_max[0] - m.bbox_min[0]) * scale,
		   (m.bbox_max[1] - m.bbox_min[1]) * scale, model.height,
		   m.area_mm2 * scale * scale, (long long) print.layers, print.seconds,
		   print.volume, whole[RUNS / 2], alone[RUNS / 2] * 1e3);
	free(bytes);
	return 0;
}

/* ---- the fit ---- */

static Model model[MAX_MODELS];
static int	models;

static double *
knob(MfPrintSettings *s, int i)
{
	double	   *const knobs[KNOBS] = {&s->layer_pause, &s->wall_slowness,
	&s->infill_anchors, &s->inside_overlap};

	return knobs[i];
}

/* Errors on a model, and what they add to the sum that the fit makes small. */
static double
judge(int i, const MfPrintSettings *s, Error *error)
{
	MfPrint		print;
	double		seconds;
	double		volume;

	if (!mf_print_estimate(&model[i].layers, model[i].height, s, &print))
		exit(2);
	seconds = print.seconds / model[i].seconds;
	volume = print.volume / model[i].volume;
	error->seconds = fabs(seconds - 1);
	error->volume = fabs(volume - 1);

	/* Nearly the absolute value of the logarithm: outliers do not rule. */
	return sqrt(pow(log(seconds), 2) + 0.0025) + sqrt(pow(log(volume), 2) + 0.001);
}

static double
judge_all(const MfPrintSettings *s, int without)
{
	double		sum = 0;
	Error		error;

	for (int i = 0; i < models; i++)
		sum += i == without ? 0 : judge(i, s, &error);
	return sum;
}

/* Turns one knob after the other, by less and less. */
static void
fit(MfPrintSettings *s, int without)
{
	double		step = 0.3;
	double		best = judge_all(s, without);

	for (int round = 0; round < FIT_ROUNDS; round++)
	{
		bool		better = false;

		for (int i = 0; i < KNOBS; i++)
			for (int way = -1; way <= 1; way += 2)
			{
				const double before = *knob(s, i);
				double		sum;

				*knob(s, i) = before * (1 + way * step);
				sum = judge_all(s, without);
				if (sum < best)
				{
					best = sum;
					better = true;
				}
				else
					*knob(s, i) = before;
			}
		if (!better)
			step *= 0.6;
	}
}

static void
show_errors(const char *what, const Error *errors)
{
	double		seconds[MAX_MODELS];
	double		volume[MAX_MODELS];

	for (int i = 0; i < models; i++)
	{
		seconds[i] = errors[i].seconds * 100;
		volume[i] = errors[i].volume * 100;
	}
	qsort(seconds, models, sizeof(double), compare);
	qsort(volume, models, sizeof(double), compare);
	printf("| %s | %.1f %% | %.1f %% | %.1f %% | %.1f %% |\n", what,
		   seconds[models / 2], seconds[models * 9 / 10],
		   volume[models / 2], volume[models * 9 / 10]);
}

/* Where every fit begins: nothing that a fit has found before. */
static void
begin_fit(MfPrintSettings *s)
{
	mf_print_defaults(s);
	s->layer_pause = 1;
	s->wall_slowness = 1;
	s->infill_anchors = 0.05;
	s->inside_overlap = 0.25;
}

static int
fit_all(void)
{
	char		name[4096];
	double		scale;
	Error		errors[MAX_MODELS];
	MfPrintSettings all;

	while (models < MAX_MODELS &&
		   scanf("%4095s %lf %lf %lf", name, &scale, &model[models].seconds,
				 &model[models].volume) == 4)
	{
		MfMeasurement m;
		size_t		size;
		uint8_t    *bytes = read_file(name, &size);

		if (!measure_layers(bytes, size, &m))
			return 1;
		scale_model(&m, scale, &model[models++]);
		free(bytes);
	}
	if (models < 3)
		return 1;
	printf("| settings | time: median | 90 %% | material: median | 90 %% |\n|---|---|---|---|---|\n");
	mf_print_defaults(&all);
	for (int i = 0; i < models; i++)
		judge(i, &all, &errors[i]);
	show_errors("as they are", errors);
	begin_fit(&all);
	fit(&all, -1);
	for (int i = 0; i < models; i++)
		judge(i, &all, &errors[i]);
	show_errors("fitted to all", errors);
	for (int i = 0; i < models; i++)
	{
		MfPrintSettings others;

		begin_fit(&others);
		fit(&others, i);
		judge(i, &others, &errors[i]);
	}
	show_errors("fitted to all others", errors);
	printf("\nFitted to all: layer_pause %.2f, wall_slowness %.2f, infill_anchors %.3f, inside_overlap %.2f.\n",
		   all.layer_pause, all.wall_slowness, all.infill_anchors, all.inside_overlap);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "estimate") == 0)
		return estimate(argv[2]);
	if (argc == 2 && strcmp(argv[1], "fit") == 0)
		return fit_all();
	fprintf(stderr, "usage: print_time estimate FILE | print_time fit\n");
	return 2;
}
