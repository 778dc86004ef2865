/*
 * picture.c
 *		The picture of a scene: draws every instance and writes all sizes.
 *
 * Work is cut into runs of triangles; what they may cost
 * is counted in pixels, so a million triangles that each cover the whole
 * picture end as soon as everything else.  A run that has used up its share
 * waits until the shares that others did not need are given out again.  What
 * is left when nothing is, is left out of the picture.
 */
#include <math.h>
#include <string.h>

#include "picture.h"

/* Triangles of one run. */
#define RUN_TRIANGLES	8192

/* What a picture may cost: triangles looked at, pixels filled. */
#define MOST_TRIANGLES	UINT64_C(40000000)
#define MOST_PIXELS		UINT64_C(100000000)

/* An instance that would cost too much is drawn as its box. */
#define BOX_TRIANGLES	12

/* How often shares are given out. */
#define MOST_ROUNDS		12

/* Where a picture is too long as a PNG, shades are told apart by so many. */
static const uint32_t coarser[] = {1, 8, 48};

/* Rows of the largest picture that one task sums up. */
#define RESOLVE_ROWS	16

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
	MfPictureView view;
	MfCanvas	canvas;
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
		mf_picture_combine(&drawing->view, actor->pose, actor->map);
	mf_picture_see(drawing->view.axis, instance->shift, drawing->view.shift,
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
	{
		const MfMesh *mesh = &actor->part->mesh;

		if (mesh->triangle_count - t > MF_MESH_AHEAD)
			mf_mesh_expect(mesh, t + MF_MESH_AHEAD);
		mf_mesh_triangle(mesh, t, at);
	}
	for (int i = 0; i < 3; i++)
		mf_picture_see(actor->map, at[i], actor->shift,
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
		mf_picture_see(drawing->view.axis, at, drawing->view.shift, seen);
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
	if (for_memory(&drawing, true) &&
		mf_picture_fit(job, scene, m->format == MF_FORMAT_GLB,
					   &drawing.view, &drawing.canvas))
	{
		memset(drawing.canvas.pixel, 0xff, sizeof(uint64_t) * MF_CANVAS_SIDE *
			   MF_CANVAS_SIDE);
		if (draw_instances(&drawing))
		{
			draw_marks(&drawing, m);
			make_pictures(&drawing, callback, arg);
		}
	}
	for_memory(&drawing, false);
	mf_job_progress(job, MF_STAGE_PICTURE, 1, 1);
}
