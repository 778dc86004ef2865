/*
 * picture.c
 *		The picture of a scene: chooses the view and draws every instance.
 *
 * The view is parallel, from the front on the right and above, the model's
 * own up pointing up.  Work is cut into runs of triangles; what they may cost
 * is counted in pixels, so a million triangles that each cover the whole
 * picture end as soon as everything else.  A run that has used up its share
 * waits until the shares that others did not need are given out again.  What
 * is left when nothing is, is left out of the picture.
 */
#include <math.h>
#include <string.h>

#include "picture.h"

/* Triangles of one run, and corners of one run of the fit. */
#define RUN_TRIANGLES	8192
#define RUN_VERTICES	65536

/* What a picture may cost: triangles looked at, pixels filled. */
#define MOST_TRIANGLES	UINT64_C(40000000)
#define MOST_PIXELS		UINT64_C(200000000)

/* An instance that would cost too much is drawn as its box. */
#define BOX_TRIANGLES	12

/* How often shares are given out. */
#define MOST_ROUNDS		12

/* The part of the canvas that the model fills. */
#define FILLED			0.94

/* Where the viewer stands: 35 degrees to the right of the front, 30 above. */
#define SIDEWARD_SIN	0.57357643635104610
#define SIDEWARD_COS	0.81915204428899179
#define UPWARD_SIN		0.5
#define UPWARD_COS		0.86602540378443865

/* Where a picture is too long as a PNG, shades are told apart by so many. */
static const uint32_t coarser[] = {1, 8, 48};

/* Rows of the largest picture that one task sums up. */
#define RESOLVE_ROWS	16

typedef struct View
{
	double		axis[3][3];		/* right, up, towards the viewer; in pixels
								 * per unit of the scene once it is fitted */
	double		shift[3];
} View;

/* Some corners of a pose, and where they are seen, before any shift. */
typedef struct FitRun
{
	uint32_t	pose;
	uint32_t	first;
	uint32_t	count;
	double		low[3];
	double		high[3];
} FitRun;

typedef struct DrawRun
{
	uint64_t	next;			/* triangle, counted over all instances */
	uint64_t	end;
	uint64_t	used;			/* pixels */
	uint64_t	granted;
} DrawRun;

typedef struct Drawing
{
	MfJob	   *job;
	const MfScene *scene;
	View		view;
	MfCanvas	canvas;
	FitRun	   *fit;
	uint32_t	fit_count;
	uint64_t   *until;			/* triangles up to the end of each instance */
	uint64_t	box_above;		/* a part with more triangles: its box */
	DrawRun    *run;
	uint32_t	run_count;
	MfPictureCell *cell;
	uint8_t    *index;			/* of the picture of each size */
	uint8_t    *arena;
	uint8_t    *png;
	size_t		length[MF_PICTURE_COUNT];
} Drawing;

/* ---- the view ------------------------------------------------------------ */

/* The axes of the view; `tall` says that the model's y points up. */
static void
set_axes(View *view, bool tall)
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

/* View times pose: where a point of the part is seen, before any shift. */
static void
combine(const View *view, const MfPose *pose, double map[3][3])
{
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3; k++)
			map[i][k] = view->axis[i][0] * pose->linear[0][k] +
				view->axis[i][1] * pose->linear[1][k] +
				view->axis[i][2] * pose->linear[2][k];
}

/* Where a point is seen. */
static inline void
see(const double map[3][3], const double from[3], const double shift[3],
	double to[3])
{
	for (int i = 0; i < 3; i++)
		to[i] = map[i][0] * from[0] + map[i][1] * from[1] +
			map[i][2] * from[2] + shift[i];
}

static void
fit_run(void *arg, uint32_t task)
{
	static const double none[3] = {0, 0, 0};
	const Drawing *drawing = arg;
	FitRun	   *run = &drawing->fit[task];
	const MfPose *pose = &drawing->scene->pose[run->pose];
	const MfMesh *mesh = &drawing->scene->part[pose->part].mesh;
	double		map[3][3];

	combine(&drawing->view, pose, map);
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
		see(map, own, none, seen);
		for (int i = 0; i < 3; i++)
		{
			run->low[i] = seen[i] < run->low[i] ? seen[i] : run->low[i];
			run->high[i] = seen[i] > run->high[i] ? seen[i] : run->high[i];
		}
	}
}

/* Cuts the corners of all poses into runs; with run NULL only counts. */
static uint32_t
cut_fit(const MfScene *scene, FitRun *run)
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
join_fit(Drawing *drawing, uint32_t *of)
{
	FitRun	   *run = drawing->fit;

	for (uint32_t r = 0; r < drawing->fit_count; r++)
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

/* Scales and shifts the view so that low..high fills the canvas. */
static bool
set_fit(Drawing *drawing, const double low[3], const double high[3])
{
	View	   *view = &drawing->view;
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
	drawing->canvas.nearest = depth / 2;
	drawing->canvas.depth_scale = depth > 0 ? 4.0e9 / depth : 0;
	return true;
}

/* Fits the view to all instances. */
static bool
fit_view(Drawing *drawing)
{
	static const double none[3] = {0, 0, 0};
	const MfScene *scene = drawing->scene;
	MfMemory   *memory = &drawing->job->memory;
	const uint64_t bytes = scene->pose_count * sizeof(uint32_t);
	uint32_t   *of = mf_memory_alloc(memory, bytes);
	double		low[3] = {INFINITY, INFINITY, INFINITY};
	double		high[3] = {-INFINITY, -INFINITY, -INFINITY};

	if (of == NULL)
		return false;
	mf_pool_run(drawing->job->pool, drawing->fit_count, fit_run, drawing);
	join_fit(drawing, of);
	for (uint32_t n = 0; n < scene->instance_count; n++)
	{
		const MfInstance *instance = &scene->instance[n];
		const FitRun *run = &drawing->fit[of[instance->pose]];
		double		shift[3];

		see(drawing->view.axis, instance->shift, none, shift);
		for (int i = 0; i < 3; i++)
		{
			low[i] = fmin(low[i], run->low[i] + shift[i]);
			high[i] = fmax(high[i], run->high[i] + shift[i]);
		}
	}
	mf_memory_free(memory, of, bytes);
	return set_fit(drawing, low, high);
}

/* ---- drawing ------------------------------------------------------------- */

/* A triangle of a box: corners by the bits x, y and z. */
static void
box_triangle(const double low[3], const double high[3], uint32_t t,
			 double at[3][3])
{
	static const uint8_t corner[BOX_TRIANGLES][3] = {
		{0, 4, 6}, {0, 6, 2}, {1, 3, 7}, {1, 7, 5}, {0, 1, 5}, {0, 5, 4},
		{2, 6, 7}, {2, 7, 3}, {0, 2, 3}, {0, 3, 1}, {4, 5, 7}, {4, 7, 6}
	};

	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3; k++)
			at[i][k] = corner[t][i] & 1 << k ? high[k] : low[k];
}

/* One instance, ready to be drawn. */
typedef struct Actor
{
	const MfPart *part;
	const MfPose *pose;
	bool		box;
	double		map[3][3];
	double		shift[3];
} Actor;

static void
set_actor(const Drawing *drawing, uint32_t n, Actor *actor)
{
	const MfScene *scene = drawing->scene;
	const MfInstance *instance = &scene->instance[n];

	actor->pose = &scene->pose[instance->pose];
	actor->part = &scene->part[actor->pose->part];
	actor->box = actor->part->mesh.triangle_count > drawing->box_above;
	if (actor->box)
		memcpy(actor->map, drawing->view.axis, sizeof(actor->map));
	else
		combine(&drawing->view, actor->pose, actor->map);
	see(drawing->view.axis, instance->shift, drawing->view.shift,
		actor->shift);
}

/* Triangle t of an instance as it is seen; false: it is not to be seen. */
static bool
take_triangle(const Actor *actor, uint32_t t, MfStroke *stroke)
{
	const bool	mirrored = !actor->box && actor->pose->mirrored;
	double		at[3][3];

	if (actor->box)
		box_triangle(actor->pose->low, actor->pose->high, t, at);
	else
		mf_mesh_triangle(&actor->part->mesh, t, at);
	for (int i = 0; i < 3; i++)
		see(actor->map, at[i], actor->shift,
			stroke->at[mirrored && i > 0 ? 3 - i : i]);
	return mf_stroke_prepare(stroke, actor->box || actor->part->closed);
}

/* The instance that a triangle belongs to. */
static uint32_t
find_instance(const Drawing *drawing, uint64_t triangle)
{
	uint32_t	low = 0;
	uint32_t	high = drawing->scene->instance_count;

	while (low < high)
	{
		const uint32_t middle = low + (high - low) / 2;

		if (drawing->until[middle] <= triangle)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Draws a run as far as its share goes. */
static void
draw_run(void *arg, uint32_t task)
{
	const Drawing *drawing = arg;
	DrawRun    *run = &drawing->run[task];
	uint32_t	n;
	Actor		actor;
	MfStroke	stroke;

	if (run->next == run->end)
		return;
	n = find_instance(drawing, run->next);
	set_actor(drawing, n, &actor);
	for (; run->next < run->end; run->next++)
	{
		uint64_t	cost;

		while (run->next >= drawing->until[n])
			set_actor(drawing, ++n, &actor);
		if (!take_triangle(&actor, (uint32_t) (run->next -
											   (n > 0 ? drawing->until[n - 1] : 0)),
						   &stroke))
			continue;
		cost = mf_stroke_cost(&stroke);
		if (cost > run->granted - run->used)
			return;
		run->used += cost;
		mf_stroke_draw(&drawing->canvas, &stroke);
	}
}

/*
 * Gives out what is left among the runs that have not ended; false: there is
 * nothing to do, or nothing to do it with.
 */
static bool
grant_shares(Drawing *drawing)
{
	uint64_t	used = 0;
	uint64_t	waiting = 0;
	uint64_t	share;

	for (uint32_t r = 0; r < drawing->run_count; r++)
	{
		used += drawing->run[r].used;
		waiting += drawing->run[r].next < drawing->run[r].end;
	}
	if (waiting == 0)
		return false;
	share = (MOST_PIXELS - used) / waiting;
	for (uint32_t r = 0; r < drawing->run_count; r++)
		drawing->run[r].granted = drawing->run[r].used + share;
	return share > 0;
}

/* Counts the triangles to draw; boxes where they are too many. */
static uint64_t
count_triangles(Drawing *drawing)
{
	const MfScene *scene = drawing->scene;
	uint64_t	total = 0;

	drawing->box_above = UINT64_MAX;
	for (int pass = 0; pass < 2; pass++)
	{
		total = 0;
		for (uint32_t n = 0; n < scene->instance_count; n++)
		{
			const MfPose *pose = &scene->pose[scene->instance[n].pose];
			const uint64_t own = scene->part[pose->part].mesh.triangle_count;

			total += own > drawing->box_above ? BOX_TRIANGLES : own;
			drawing->until[n] = total;
		}
		if (total <= MOST_TRIANGLES)
			break;
		drawing->box_above = MOST_TRIANGLES / scene->instance_count;
	}
	return total;
}

/* Draws all instances. */
static bool
draw_instances(Drawing *drawing)
{
	MfMemory   *memory = &drawing->job->memory;
	const uint64_t total = count_triangles(drawing);
	uint64_t	bytes;

	drawing->run_count = (uint32_t) ((total + RUN_TRIANGLES - 1) /
									 RUN_TRIANGLES);
	bytes = drawing->run_count * sizeof(DrawRun);
	drawing->run = mf_memory_alloc(memory, bytes);
	if (drawing->run == NULL)
		return false;
	for (uint32_t r = 0; r < drawing->run_count; r++)
	{
		drawing->run[r].next = (uint64_t) r * RUN_TRIANGLES;
		drawing->run[r].end = r + 1 < drawing->run_count ?
			drawing->run[r].next + RUN_TRIANGLES : total;
	}
	for (int round = 0; round < MOST_ROUNDS && grant_shares(drawing); round++)
		mf_pool_run(drawing->job->pool, drawing->run_count, draw_run,
					drawing);
	mf_memory_free(memory, drawing->run, bytes);
	return true;
}

/* Marks the places of what is wrong. */
static void
draw_marks(Drawing *drawing, const MfMeasurement *m)
{
	for (int i = 0; i < m->defect_count; i++)
	{
		const MfDefect *defect = &m->defects[i];
		double		at[3];
		double		seen[3];

		if (defect->severity != MF_SEVERITY_ERROR || !defect->located)
			continue;
		for (int k = 0; k < 3; k++)
			at[k] = defect->at[k] / drawing->job->unit_in_mm;
		see(drawing->view.axis, at, drawing->view.shift, seen);
		mf_canvas_mark(&drawing->canvas, seen[0], seen[1]);
	}
}

/* ---- pictures ------------------------------------------------------------ */

static void
resolve_rows(void *arg, uint32_t task)
{
	const Drawing *drawing = arg;

	mf_picture_resolve(&drawing->canvas, task * RESOLVE_ROWS,
					   (task + 1) * RESOLVE_ROWS, drawing->cell);
}

/* Where the indexes of a size are. */
static uint8_t *
index_of(const Drawing *drawing, uint32_t which)
{
	return drawing->index +
		(size_t) which * (MF_CANVAS_SIDE / 2) * (MF_CANVAS_SIDE / 2);
}

/* One size; a picture that is still too long is drawn with fewer shades. */
static void
encode_size(void *arg, uint32_t which)
{
	Drawing    *drawing = arg;
	const uint32_t size = mf_picture_sizes[which];
	uint8_t    *index = index_of(drawing, which);

	for (size_t i = 0; i < sizeof(coarser) / sizeof(coarser[0]) &&
		 drawing->length[which] == 0; i++)
	{
		if (i > 0)
			mf_picture_coarsen(index, size, coarser[i]);
		drawing->length[which] =
			mf_picture_encode(index, size,
							  drawing->arena + which * MF_PICTURE_ARENA,
							  MF_PICTURE_ARENA,
							  drawing->png + which * MF_PICTURE_MAX_BYTES,
							  MF_PICTURE_MAX_BYTES);
	}
}

/* Colours all sizes, from the largest down; true: something is there. */
static bool
colour_sizes(Drawing *drawing)
{
	uint32_t	size = MF_CANVAS_SIDE / 2;
	bool		any = false;

	for (uint32_t which = MF_PICTURE_COUNT; which-- > 0;)
	{
		const uint32_t wanted = mf_picture_sizes[which];

		for (; size > wanted; size /= 2)
			mf_picture_halve(drawing->cell, size);
		mf_picture_colour(drawing->cell, size, index_of(drawing, which));
		for (uint32_t i = 0; i < size * size && !any; i++)
			any = index_of(drawing, which)[i] != 0;
	}
	return any;
}

static void
make_pictures(Drawing *drawing, MfPictureCallback callback, void *arg)
{
	MfPool	   *pool = drawing->job->pool;

	mf_pool_run(pool, MF_CANVAS_SIDE / 2 / RESOLVE_ROWS, resolve_rows,
				drawing);
	if (!colour_sizes(drawing))
		return;
	mf_pool_run(pool, MF_PICTURE_COUNT, encode_size, drawing);
	for (uint32_t which = 0; which < MF_PICTURE_COUNT; which++)
		if (drawing->length[which] > 0)
			callback(arg, mf_picture_sizes[which],
					 drawing->png + which * MF_PICTURE_MAX_BYTES,
					 drawing->length[which]);
}

/* ---- memory -------------------------------------------------------------- */

/* Everything but the runs, taken or given back. */
static bool
for_memory(Drawing *drawing, bool take)
{
	const uint64_t pixels = (uint64_t) MF_CANVAS_SIDE * MF_CANVAS_SIDE;
	MfMemory   *memory = &drawing->job->memory;
	const struct
	{
		void	  **block;
		uint64_t	bytes;
	}			all[] = {
		{(void **) &drawing->canvas.pixel, pixels * sizeof(uint64_t)},
		{(void **) &drawing->fit, drawing->fit_count * sizeof(FitRun)},
		{(void **) &drawing->until, drawing->scene->instance_count * sizeof(uint64_t)},
		{(void **) &drawing->cell, pixels / 4 * sizeof(MfPictureCell)},
		{(void **) &drawing->index, pixels / 4 * MF_PICTURE_COUNT},
		{(void **) &drawing->arena, MF_PICTURE_COUNT * MF_PICTURE_ARENA},
		{(void **) &drawing->png, MF_PICTURE_COUNT * MF_PICTURE_MAX_BYTES}
	};
	bool		good = true;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
	{
		if (take)
			*all[i].block = mf_memory_alloc(memory, all[i].bytes);
		else
			mf_memory_free(memory, *all[i].block, all[i].bytes);
		good = good && *all[i].block != NULL;
	}
	return good;
}

/* Draws the scene; see picture.h. */
void
mf_picture_make(MfJob *job, const MfScene *scene, const MfMeasurement *m,
				MfPictureCallback callback, void *arg)
{
	Drawing		drawing = {.job = job,.scene = scene};

	mf_job_progress(job, MF_STAGE_PICTURE, 0, 1);
	set_axes(&drawing.view, m->format == MF_FORMAT_GLB);
	drawing.fit_count = cut_fit(scene, NULL);
	if (for_memory(&drawing, true))
	{
		memset(drawing.canvas.pixel, 0xff, sizeof(uint64_t) * MF_CANVAS_SIDE *
			   MF_CANVAS_SIDE);
		cut_fit(scene, drawing.fit);
		if (fit_view(&drawing) && draw_instances(&drawing))
		{
			draw_marks(&drawing, m);
			make_pictures(&drawing, callback, arg);
		}
	}
	for_memory(&drawing, false);
	mf_job_progress(job, MF_STAGE_PICTURE, 1, 1);
}
