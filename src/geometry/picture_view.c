/*
 * picture_view.c
 *		From where a scene is seen, and how large.
 *
 * The view is parallel, from the front on the right and above, with the
 * model's own up pointing up, and as large as the corners of all instances
 * allow.
 */
#include <math.h>

#include "picture.h"

/* Corners of one run. */
#define RUN_VERTICES	65536

/* The part of the canvas that the model fills. */
#define FILLED			0.94

/* Where the viewer stands: 35 degrees to the right of the front, 30 above. */
#define SIDEWARD_SIN	0.57357643635104610
#define SIDEWARD_COS	0.81915204428899179
#define UPWARD_SIN		0.5
#define UPWARD_COS		0.86602540378443865

/* Some corners of a pose, and where they are seen, before any shift. */
typedef struct FitRun
{
	uint32_t	pose;
	uint32_t	first;
	uint32_t	count;
	double		low[3];
	double		high[3];
} FitRun;

/* What the runs work on. */
typedef struct Fit
{
	const MfScene *scene;
	const MfPictureView *view;
	FitRun	   *run;
} Fit;

/* The axes of the view; `tall` says that the model's y points up. */
static void
set_axes(MfPictureView *view, bool tall)
{
	const double s = SIDEWARD_SIN;
	const double c = SIDEWARD_COS;
	const double axis[3][3] = {
		{c, s, 0},
		{-UPWARD_SIN * s, UPWARD_SIN * c, UPWARD_COS},
		{UPWARD_COS * s, -UPWARD_COS * c, UPWARD_SIN}
	};

	for (int i = 0; i < 3; i++)
	{
		view->axis[i][0] = axis[i][0];
		view->axis[i][1] = tall ? axis[i][2] : axis[i][1];
		view->axis[i][2] = tall ? -axis[i][1] : axis[i][2];
		view->shift[i] = 0;
	}
}

/* Where the corners of a run are seen. */
static void
fit_run(void *arg, uint32_t task)
{
	static const double none[3] = {0, 0, 0};
	const Fit  *fit = arg;
	FitRun	   *run = &fit->run[task];
	const MfPose *pose = &fit->scene->pose[run->pose];
	const MfMesh *mesh = &fit->scene->part[pose->part].mesh;
	double		map[3][3];

	mf_picture_combine(fit->view, pose, map);
	for (int i = 0; i < 3; i++)
	{
		run->low[i] = INFINITY;
		run->high[i] = -INFINITY;
	}
	for (uint32_t v = run->first; v < run->first + run->count; v++)
	{
		double		own[3];
		double		seen[3];

		mf_mesh_place(mesh, v, own);
		mf_picture_see(map, own, none, seen);
		for (int i = 0; i < 3; i++)
		{
			run->low[i] = seen[i] < run->low[i] ? seen[i] : run->low[i];
			run->high[i] = seen[i] > run->high[i] ? seen[i] : run->high[i];
		}
	}
}

/* Cuts the corners of all poses into runs; with run NULL only counts. */
static uint32_t
cut_runs(const MfScene *scene, FitRun *run)
{
	uint32_t	count = 0;

	for (uint32_t p = 0; p < scene->pose_count; p++)
	{
		const MfMesh *mesh = &scene->part[scene->pose[p].part].mesh;

		for (uint32_t at = 0; at < mesh->vertex_count; count++)
		{
			const uint32_t left = mesh->vertex_count - at;
			const uint32_t here = left < RUN_VERTICES ? left : RUN_VERTICES;

			if (run != NULL)
			{
				run[count].pose = p;
				run[count].first = at;
				run[count].count = here;
			}
			at += here;
		}
	}
	return count;
}

/* Puts the runs of each pose together in its first one; *of points there. */
static void
join_runs(FitRun *run, uint32_t count, uint32_t *of)
{
	for (uint32_t r = 0; r < count; r++)
	{
		FitRun	   *first;

		if (run[r].first == 0)
			of[run[r].pose] = r;
		first = &run[of[run[r].pose]];
		for (int i = 0; i < 3; i++)
		{
			first->low[i] = fmin(first->low[i], run[r].low[i]);
			first->high[i] = fmax(first->high[i], run[r].high[i]);
		}
	}
}

/* The box of all instances, as they are seen. */
static void
bound_instances(const Fit *fit, const uint32_t *of, double low[3],
				double high[3])
{
	static const double none[3] = {0, 0, 0};
	const MfScene *scene = fit->scene;

	for (int i = 0; i < 3; i++)
	{
		low[i] = INFINITY;
		high[i] = -INFINITY;
	}
	for (uint32_t n = 0; n < scene->instance_count; n++)
	{
		const MfInstance *instance = &scene->instance[n];
		const FitRun *run = &fit->run[of[instance->pose]];
		double		shift[3];

		mf_picture_see(fit->view->axis, instance->shift, none, shift);
		for (int i = 0; i < 3; i++)
		{
			low[i] = fmin(low[i], run->low[i] + shift[i]);
			high[i] = fmax(high[i], run->high[i] + shift[i]);
		}
	}
}

/* Scales and shifts the view so that low..high fills the canvas. */
static bool
fill_canvas(MfPictureView *view, MfCanvas *canvas, const double low[3],
			const double high[3])
{
	const double largest = fmax(high[0] - low[0], high[1] - low[1]);
	const double scale = FILLED * MF_CANVAS_SIDE / largest;
	const double depth = (high[2] - low[2]) * scale;

	if (!(largest > 0) || !isfinite(scale) || !isfinite(depth))
		return false;
	for (int i = 0; i < 3; i++)
	{
		for (int k = 0; k < 3; k++)
			view->axis[i][k] *= scale;
		view->shift[i] = (i < 2 ? MF_CANVAS_SIDE / 2.0 : 0) -
			(low[i] + (high[i] - low[i]) / 2) * scale;
	}
	canvas->nearest = depth / 2;
	canvas->depth_scale = depth > 0 ? MF_CANVAS_DEPTH / depth : 0;
	return true;
}

/* Chooses the view and fits it to all instances; see picture.h. */
bool
mf_picture_fit(MfJob *job, const MfScene *scene, bool tall,
			   MfPictureView *view, MfCanvas *canvas)
{
	MfMemory   *memory = &job->memory;
	const uint32_t count = cut_runs(scene, NULL);
	const uint64_t bytes = scene->pose_count * sizeof(uint32_t);
	uint32_t   *of = mf_memory_alloc(memory, bytes);
	Fit			fit = {
		.scene = scene,
		.view = view,
		.run = mf_memory_alloc(memory, count * sizeof(FitRun))
	};
	double		low[3];
	double		high[3];
	bool		good = of != NULL && fit.run != NULL;

	set_axes(view, tall);
	if (good)
	{
		cut_runs(scene, fit.run);
		mf_pool_run(job->pool, count, fit_run, &fit);
		join_runs(fit.run, count, of);
		bound_instances(&fit, of, low, high);
		good = fill_canvas(view, canvas, low, high);
	}
	mf_memory_free(memory, of, bytes);
	mf_memory_free(memory, fit.run, count * sizeof(FitRun));
	return good;
}
