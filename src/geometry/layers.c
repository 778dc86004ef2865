/*
 * layers.c
 *		Cross sections, outlines and what faces up and down, by height.
 *
 * Each pose is cut once for each height at which it stands, and counts as
 * often as it does.  Where that would be more cuts than EXACT_TRIANGLES, the
 * pose is cut once into layers of its own, and each copy spreads these over
 * the layers of the whole, evenly within each: the totals stay the same, and
 * the profile is smoothed over a layer of the pose.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "copies.h"
#include "slices.h"
#include "whole.h"

/* Triangles of poses that stand at several heights that are cut for each. */
#define EXACT_TRIANGLES		(UINT64_C(1) << 21)

/* Triangles that one task cuts at the least, and the most tasks. */
#define PIECE				8192
#define MAX_PIECES			64

/* What is less than this part of the largest layer is left by rounding. */
#define NOISE				1e-12

/* A pose to cut, on the grid of its sums. */
typedef struct Item
{
	uint32_t	pose;
	uint32_t	times;
	uint64_t	begin;			/* triangles of the items before */
	MfSliceGrid grid;
} Item;

typedef struct Cutter
{
	const MfScene *scene;
	const Item *item;
	uint32_t	item_count;
	uint64_t	triangles;		/* of all items */
	uint32_t	pieces;
	MfSlices   *sums;			/* of each piece */
} Cutter;

/* Sums up to the lower plane of each layer, and to the top. */
typedef double (*Profile)[MF_SLICE_SUMS];

/* Cuts some triangles of an item. */
static void
cut_item(const Cutter *cutter, const Item *item, uint32_t begin, uint32_t end,
		 MfSlices *sums)
{
	const MfPose *pose = &cutter->scene->pose[item->pose];
	const MfPart *part = &cutter->scene->part[pose->part];
	const MfMesh *mesh = &part->mesh;
	const double x = pose->low[0] + (pose->high[0] - pose->low[0]) / 2;

	for (uint32_t t = begin; t < end; t++)
	{
		double		at[3][3];

		if (end - t > MF_MESH_AHEAD)
			mf_mesh_expect(mesh, t + MF_MESH_AHEAD);
		mf_pose_triangle(cutter->scene, pose, t, at);
		for (int i = 0; i < 3; i++)
			at[i][0] -= x;
		mf_slices_add(sums, &item->grid, (const double (*)[3]) at,
					  item->times, part->redundant_triangle == NULL ||
					  !part->redundant_triangle[t]);
	}
}

/* A task: cuts its share of all triangles. */
static void
cut_piece(void *arg, uint32_t piece)
{
	const Cutter *cutter = arg;
	const uint64_t end = cutter->triangles * (piece + 1) / cutter->pieces;
	uint64_t	at = cutter->triangles * piece / cutter->pieces;
	uint32_t	low = 0;
	uint32_t	high = cutter->item_count;

	/* The item that this share begins in. */
	while (high - low > 1)
	{
		const uint32_t middle = low + (high - low) / 2;

		if (cutter->item[middle].begin <= at)
			low = middle;
		else
			high = middle;
	}
	for (; at < end; low++)
	{
		const Item *item = &cutter->item[low];
		const uint64_t next = low + 1 < cutter->item_count ?
		item[1].begin : cutter->triangles;
		const uint64_t stop = next < end ? next : end;

		cut_item(cutter, item, (uint32_t) (at - item->begin),
				 (uint32_t) (stop - item->begin), &cutter->sums[piece]);
		at = stop;
	}
}

/* Cuts all items into sums[0]. */
static void
cut_items(MfJob *job, Cutter *cutter)
{
	const uint64_t pieces = cutter->triangles / PIECE;

	cutter->pieces = pieces < 1 ? 1 :
		pieces < MAX_PIECES ? (uint32_t) pieces : MAX_PIECES;
	memset(cutter->sums, 0, cutter->pieces * sizeof(*cutter->sums));
	mf_pool_run(job->pool, cutter->pieces, cut_piece, cutter);
	for (uint32_t p = 1; p < cutter->pieces; p++)
		mf_slices_merge(&cutter->sums[0], &cutter->sums[p]);
	mf_slices_finish(&cutter->sums[0]);
}

/* The value of a profile at a height in its layers. */
static inline void
look_up(const double (*profile)[MF_SLICE_SUMS], double s,
		double value[MF_SLICE_SUMS])
{
	const double within = s > 0 ? s < MF_LAYERS ? s : MF_LAYERS : 0;
	const int	layer = within < MF_LAYERS ? (int) within : MF_LAYERS - 1;

	for (int k = 0; k < MF_SLICE_SUMS; k++)
		value[k] = profile[layer][k] + (within - layer) *
			(profile[layer + 1][k] - profile[layer][k]);
}

/* Adds a copy of a pose that was cut on a grid of its own. */
static void
spread_profile(const MfSliceGrid *own, const double (*profile)[MF_SLICE_SUMS],
			   const MfSliceGrid *grid, const MfCopy *copy, double height,
			   MfSlices *sums)
{
	const double bottom = own->low + copy->z - grid->low;
	const double first = floor(bottom * grid->per_length);
	const double last = floor((bottom + height) * grid->per_length);
	const int	begin = first > 0 ? (int) fmin(first, MF_LAYERS - 1) : 0;
	const int	end = last > 0 ? (int) fmin(last, MF_LAYERS - 1) : 0;
	double		below[MF_SLICE_SUMS] = {0};

	for (int i = begin; i <= end; i++)
	{
		double		now[MF_SLICE_SUMS];

		look_up(profile, i == end ? MF_LAYERS :
				((i + 1) / grid->per_length - bottom) * own->per_length, now);
		for (int k = 0; k < MF_SLICE_SUMS; k++)
		{
			sums->sum[i][k] += (now[k] - below[k]) * copy->count;
			below[k] = now[k];
		}
	}
}

/* Layers for a height; false: it is too little to cut. */
static bool
make_grid(double low, double high, MfSliceGrid *grid)
{
	grid->low = low;
	grid->per_length = MF_LAYERS / (high - low);
	return isfinite(grid->per_length) && grid->per_length > 0;
}

/*
 * Cuts a pose on a grid of its own and adds its copies.  A flat one, which
 * has no volume and no height, goes to the layer where each copy is.
 */
static void
spread_pose(MfJob *job, Cutter *cutter, const MfSliceGrid *grid,
			const MfCopy *copy, uint32_t copies, Profile profile,
			MfSlices *sums)
{
	const MfPose *pose = &cutter->scene->pose[copy->pose];
	const double height = pose->high[2] - pose->low[2];
	Item		item = {.pose = copy->pose,.times = 1};

	if (!make_grid(pose->low[2], pose->high[2], &item.grid))
		item.grid.per_length = 0;
	cutter->item = &item;
	cutter->item_count = 1;
	cutter->triangles =
		cutter->scene->part[pose->part].mesh.triangle_count;
	cut_items(job, cutter);
	for (int k = 0; k < MF_SLICE_SUMS; k++)
	{
		profile[0][k] = 0;
		for (int i = 0; i < MF_LAYERS; i++)
			profile[i + 1][k] = profile[i][k] + cutter->sums[0].sum[i][k];
	}
	for (uint32_t c = 0; c < copies; c++)
		spread_profile(&item.grid, (const double (*)[MF_SLICE_SUMS]) profile,
					   grid, &copy[c], height, sums);
}

/*
 * One column of the measurement: what is below nothing is nothing.  False:
 * all of it is too small for the floats of the measurement.
 */
static bool
fill_column(const MfSlices *sums, MfSliceSum which, double factor, float *out)
{
	double		largest = 0;

	for (int i = 0; i < MF_LAYERS; i++)
		largest = fmax(largest, sums->sum[i][which]);
	for (int i = 0; i < MF_LAYERS; i++)
	{
		const double value = sums->sum[i][which];
		const float amount = (float) (value * factor);

		out[i] = value > largest * NOISE && isfinite(amount) ? amount : 0;
	}
	return largest * factor >= FLT_MIN;
}

/* What the measuring takes; all of it is given back. */
typedef struct Room
{
	MfCopies	copies;
	Item	   *item;
	uint64_t	item_bytes;
	MfSlices   *pieces;
	MfSlices   *sums;
	Profile		profile;
} Room;

/* Cuts all copies into room->sums. */
static void
cut_scene(MfJob *job, const MfScene *scene, const MfSliceGrid *grid,
		  Room *room)
{
	const MfCopies *copies = &room->copies;
	Cutter		cutter = {.scene = scene,.sums = room->pieces};
	uint64_t	budget = EXACT_TRIANGLES;
	uint64_t	triangles = 0;
	uint32_t	items = 0;
	uint32_t	end;

	for (uint32_t c = 0; c < copies->count; c = end)
	{
		const MfCopy *copy = &copies->copy[c];
		const MfPose *pose = &scene->pose[copy->pose];
		const uint32_t own = scene->part[pose->part].mesh.triangle_count;
		uint64_t	extra;

		for (end = c + 1; end < copies->count &&
			 copies->copy[end].pose == copy->pose; end++)
			;
		extra = end - c > 1 ? (uint64_t) own * (end - c) : 0;
		if (extra > budget)
		{
			spread_pose(job, &cutter, grid, copy, end - c, room->profile,
						room->sums);
			continue;
		}
		budget -= extra;
		for (uint32_t n = c; n < end; n++)
		{
			Item	   *item = &room->item[items++];

			item->pose = copy->pose;
			item->times = copies->copy[n].count;
			item->begin = triangles;
			item->grid.low = grid->low - copies->copy[n].z;
			item->grid.per_length = grid->per_length;
			triangles += own;
		}
	}
	cutter.item = room->item;
	cutter.item_count = items;
	cutter.triangles = triangles;
	cut_items(job, &cutter);
	mf_slices_merge(room->sums, &cutter.sums[0]);
}

/* Takes the memory.  False: refused. */
static bool
take_room(MfJob *job, const MfScene *scene, Room *room)
{
	if (!mf_copies_find(job, scene, &room->copies))
		return false;
	room->item_bytes = room->copies.count * (uint64_t) sizeof(*room->item);
	room->item = mf_memory_alloc(&job->memory, room->item_bytes);
	room->pieces = mf_memory_alloc(&job->memory,
								   MAX_PIECES * sizeof(*room->pieces));
	room->sums = mf_memory_alloc(&job->memory, sizeof(*room->sums));
	room->profile = mf_memory_alloc(&job->memory, (MF_LAYERS + 1) *
									sizeof(*room->profile));
	return (room->item != NULL && room->pieces != NULL &&
			room->sums != NULL && room->profile != NULL) ||
		mf_job_out_of_memory(job);
}

static void
give_room_back(MfJob *job, Room *room)
{
	mf_copies_free(job, &room->copies);
	mf_memory_free(&job->memory, room->item, room->item_bytes);
	mf_memory_free(&job->memory, room->pieces,
				   MAX_PIECES * sizeof(*room->pieces));
	mf_memory_free(&job->memory, room->sums, sizeof(*room->sums));
	mf_memory_free(&job->memory, room->profile, (MF_LAYERS + 1) *
				   sizeof(*room->profile));
}

/* Cuts the scene into layers; see whole.h. */
bool
mf_layers_measure(MfJob *job, const MfScene *scene, MfMeasurement *m)
{
	const double mm = job->unit_in_mm;
	Room		room = {0};
	MfSliceGrid grid;
	bool		good;

	m->layers.count = 0;
	if (isnan(m->volume_mm3) ||
		!make_grid(scene->low[2], scene->high[2], &grid))
		return true;
	good = take_room(job, scene, &room);
	if (good)
	{
		cut_scene(job, scene, &grid, &room);
		if (fill_column(room.sums, MF_SLICE_VOLUME,
						grid.per_length * mm * mm, m->layers.area))
			m->layers.count = MF_LAYERS;
		fill_column(room.sums, MF_SLICE_WALL, grid.per_length * mm,
					m->layers.perimeter);
		fill_column(room.sums, MF_SLICE_UP, mm * mm, m->layers.up);
		fill_column(room.sums, MF_SLICE_DOWN, mm * mm, m->layers.down);
	}
	give_room_back(job, &room);
	return good;
}
