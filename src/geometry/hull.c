/*
 * hull.c
 *		The convex hull of the vertices of a mesh.
 *
 * Convexity does not change where the axes are stretched, so each axis is
 * stretched to the whole grid.  First, from each of some hundred directions,
 * the point farthest out makes a polytope; the points within it, which are
 * most, are dropped by one look at a table of its radius by direction.  The
 * rest are inserted in a random order that depends on the points alone.
 */
#include <math.h>
#include <string.h>

#include "hull.h"
#include "hull_order.h"
#include "polytope.h"

/* Directions are cells of a cube's six sides, so many along an edge. */
#define SAMPLE_CELLS	8
#define TABLE_CELLS		32		/* at the most */
#define FEW_TABLE_CELLS	2
#define TABLE_VERTICES	64		/* for each cell of a side */
#define SIDE_CELLS(cells)	((cells) * (cells))
#define CUBE_CELLS(cells)	(6 * SIDE_CELLS(cells))
#define NODES			((TABLE_CELLS + 1) * (TABLE_CELLS + 1))

/* More points than this are thinned out to one in each of as many cells. */
#define MOST_POINTS		(UINT32_C(1) << 20)

/*
 * So are points that there is no memory for: what each takes, what else has
 * to have room beside the hull, and how few are left at the least.
 */
#define POINT_BYTES		288
#define ROOM_BESIDE		(UINT64_C(16) << 20)
#define FEWEST_POINTS	(UINT32_C(1) << 13)

/* Points that span what the sample does not. */
#define SPANNING		3

/* Points farther out than the polytope by this part only are dropped. */
#define MARGIN			(1 + 1.0 / (1 << 23))

/* Vertices of one task at the least, and the most tasks. */
#define PIECE			16384
#define MAX_PIECES		64

#define NONE			MF_POLYTOPE_NONE

/* The point farthest out in a cell. */
typedef struct Farthest
{
	double		distance;		/* largest coordinate */
	uint32_t	vertex;
} Farthest;

struct MfHullSearch
{
	MfJob	   *job;
	const MfMesh *mesh;
	double		scale[3];		/* to the grid; 0: the axis is flat */
	uint32_t	pieces;
	Farthest	(*sample)[CUBE_CELLS(SAMPLE_CELLS)];	/* of each piece */
	MfPolytope	polytope;
	bool		small;			/* not worth a sample: all are inserted */
	bool		flat;
	int			cells;			/* along an edge of the table */
	double		(*radius)[NODES];	/* of the polytope, in the directions of
									 * the nodes between cells */
	double	   *within;			/* largest coordinate that is within, in each
								 * cell */
	uint32_t	kept_count[MAX_PIECES];
	uint32_t   *kept;			/* vertices that are not within */
	uint32_t	kept_total;
	uint64_t	seed;
	uint64_t   *order;			/* of insertion of the kept ones */
	uint32_t   *source;			/* the vertex of each of the polytope's points */
	uint64_t	source_bytes;
	uint64_t	order_bytes;
	MfPolytopeResult result;
	bool		aside;			/* the kept ones are being inserted */
	void	   *block;			/* arrays whose size is known at the beginning */
	uint64_t	block_bytes;
};

typedef struct MfHullSearch Search;

/* The place of a vertex in the grid. */
static inline void
place_vertex(const Search *s, uint32_t vertex, int32_t grid[3])
{
	double		at[3];

	mf_mesh_place(s->mesh, vertex, at);
	for (int k = 0; k < 3; k++)
	{
		const double value = (at[k] - s->mesh->low[k]) * s->scale[k] + 0.5;

		grid[k] = value < MF_POLYTOPE_GRID - 1 ? (int32_t) value :
			MF_POLYTOPE_GRID - 1;
	}
}

/* The vertices of a piece. */
static void
find_piece(const Search *s, uint32_t piece, uint32_t *begin, uint32_t *end)
{
	const uint64_t count = s->mesh->vertex_count;

	*begin = (uint32_t) (count * piece / s->pieces);
	*end = (uint32_t) (count * (piece + 1) / s->pieces);
}

/* A task: the vertices of a piece that are farthest from the middle. */
static void
sample_piece(void *arg, uint32_t piece)
{
	Search	   *s = arg;
	Farthest   *best = s->sample[piece];
	double		middle[3];
	uint32_t	begin;
	uint32_t	end;

	for (int k = 0; k < 3; k++)
		middle[k] = s->mesh->low[k] +
			(s->mesh->high[k] - s->mesh->low[k]) / 2;
	for (uint32_t c = 0; c < CUBE_CELLS(SAMPLE_CELLS); c++)
		best[c] = (Farthest)
	{
		-1, NONE
	};
	find_piece(s, piece, &begin, &end);
	for (uint32_t v = begin; v < end; v++)
	{
		double		at[3];
		double		distance;
		uint32_t	cell;

		mf_mesh_place(s->mesh, v, at);
		for (int k = 0; k < 3; k++)
			at[k] = (at[k] - middle[k]) * s->scale[k];
		cell = mf_hull_cell(at, SAMPLE_CELLS, &distance);
		if (distance > best[cell].distance)
		{
			best[cell].distance = distance;
			best[cell].vertex = v;
		}
	}
}

/* Puts a vertex, or a place of the grid, behind the polytope's points. */
static void
add_point(Search *s, uint32_t vertex, const int32_t grid[3])
{
	const uint32_t p = s->polytope.point_count++;

	memcpy(s->polytope.point[p].at, grid, sizeof(s->polytope.point[p].at));
	s->source[p] = vertex;
}

/* A coordinate of a corner of the grid. */
static inline int32_t
place_corner(int corner, int k)
{
	return (corner >> k & 1) != 0 ? MF_POLYTOPE_GRID - 1 : 0;
}

/*
 * Adds what is off the plane, line or point that all points of the sample are
 * on: a vertex, or, where there is none, a corner of the grid.
 */
static void
add_spanning(Search *s)
{
	int32_t		grid[3];
	double		best = 0;
	uint32_t	vertex = NONE;

	for (uint32_t v = 0; v < s->mesh->vertex_count; v++)
	{
		double		off;

		place_vertex(s, v, grid);
		off = mf_polytope_off(&s->polytope, grid);
		if (off > best)
		{
			best = off;
			vertex = v;
		}
	}
	if (vertex != NONE)
	{
		place_vertex(s, vertex, grid);
		add_point(s, vertex, grid);
		return;
	}
	s->flat = true;
	for (int corner = 0, which = 0; corner < 8; corner++)
	{
		double		off;

		for (int k = 0; k < 3; k++)
			grid[k] = place_corner(corner, k);
		off = mf_polytope_off(&s->polytope, grid);
		if (off > best)
		{
			best = off;
			which = corner;
		}
		for (int k = 0; k < 3; k++)
			grid[k] = place_corner(which, k);
	}
	add_point(s, NONE, grid);
}

/* The sample: what is farthest out in each cell, or all where that is less. */
static void
take_sample(Search *s)
{
	int32_t		grid[3];

	if (s->small)
	{
		for (uint32_t v = 0; v < s->mesh->vertex_count; v++)
		{
			place_vertex(s, v, grid);
			add_point(s, v, grid);
		}
		return;
	}
	mf_pool_run(s->job->pool, s->pieces, sample_piece, s);
	for (uint32_t c = 0; c < CUBE_CELLS(SAMPLE_CELLS); c++)
	{
		Farthest	best = {-1, NONE};

		for (uint32_t p = 0; p < s->pieces; p++)
			if (s->sample[p][c].distance > best.distance)
				best = s->sample[p][c];
		if (best.vertex == NONE)
			continue;
		place_vertex(s, best.vertex, grid);
		add_point(s, best.vertex, grid);
	}
}

/* Builds the polytope of the sample.  False: refused. */
static bool
build_sample(Search *s)
{
	const uint32_t room = SPANNING + (s->small ? s->mesh->vertex_count :
									  CUBE_CELLS(SAMPLE_CELLS));

	s->source_bytes = room * sizeof(*s->source);
	s->source = mf_memory_alloc(&s->job->memory, s->source_bytes);
	if (s->source == NULL)
		return mf_job_out_of_memory(s->job);
	if (!mf_polytope_reserve(s->job, &s->polytope, room))
		return false;
	take_sample(s);
	while ((s->result = mf_polytope_build(&s->polytope)) == MF_POLYTOPE_FLAT)
		add_spanning(s);
	return true;
}

/* A task: the polytope's radius in the directions of one row of nodes. */
static void
measure_row(void *arg, uint32_t row)
{
	Search	   *s = arg;
	const int	side = row / (s->cells + 1);
	const int	i = row % (s->cells + 1);

	for (int j = 0; j <= s->cells; j++)
	{
		const int	axis = side / 2;
		const int	node = i * (s->cells + 1) + j;
		double		at[3];
		double		largest = 0;

		at[axis] = side % 2 == 0 ? 1 : -1;
		at[(axis + 1) % 3] = i * (2.0 / s->cells) - 1;
		at[(axis + 2) % 3] = j * (2.0 / s->cells) - 1;
		for (uint32_t f = 0; f < s->polytope.face_count; f++)
		{
			const MfPolytopeFace *face = &s->polytope.face[f];
			double		part;

			if (face->corner[0] == NONE)
				continue;
			part = (face->normal[0] * at[0] + face->normal[1] * at[1] +
					face->normal[2] * at[2]) / face->height;
			largest = part > largest ? part : largest;
		}
		s->radius[side][node] = 1 / largest;
	}
}

/*
 * What is within in each cell: the cone over it is convex, so it is within
 * where its four edges are.
 */
static void
fill_table(Search *s)
{
	const int	cells = s->cells;

	mf_pool_run(s->job->pool, 6 * (cells + 1), measure_row, s);
	for (int side = 0; side < 6; side++)
		for (int i = 0; i < cells; i++)
			for (int j = 0; j < cells; j++)
			{
				const double *radius = &s->radius[side][i * (cells + 1) + j];
				const double least = fmin(fmin(radius[0], radius[1]),
										  fmin(radius[cells + 1],
											   radius[cells + 2]));

				s->within[(side * cells + i) * cells + j] = least * MARGIN;
			}
}

/* The cell of a point in the polytope's coordinates. */
static inline uint32_t
find_entry(const int32_t at[3], int cells, double *distance)
{
	const double place[3] = {at[0], at[1], at[2]};

	return mf_hull_cell(place, cells, distance);
}

/* A task: keeps the vertices of a piece that are not within. */
static void
sift_piece(void *arg, uint32_t piece)
{
	Search	   *s = arg;
	uint32_t	begin;
	uint32_t	end;
	uint32_t	out;

	find_piece(s, piece, &begin, &end);
	out = begin;
	for (uint32_t v = begin; v < end; v++)
	{
		int32_t		at[3];
		double		distance;
		uint32_t	entry;

		place_vertex(s, v, at);
		mf_polytope_centre(&s->polytope, at);
		entry = find_entry(at, s->cells, &distance);
		s->kept[out] = v;
		out += distance > s->within[entry];
	}
	s->kept_count[piece] = out - begin;
}

/* Puts the pieces' vertices together; returns how many. */
static uint32_t
join_pieces(Search *s)
{
	uint32_t	count = 0;

	for (uint32_t piece = 0; piece < s->pieces; piece++)
	{
		uint32_t	begin;
		uint32_t	end;

		find_piece(s, piece, &begin, &end);
		memmove(s->kept + count, s->kept + begin,
				s->kept_count[piece] * sizeof(*s->kept));
		count += s->kept_count[piece];
	}
	return count;
}

/* How many points may be inserted. */
static uint32_t
count_allowed(const Search *s)
{
	const MfMemory *memory = &s->job->memory;
	uint64_t	left;

	if (memory->limit == 0)
		return MOST_POINTS;
	left = memory->used + ROOM_BESIDE < memory->limit ?
		(memory->limit - memory->used - ROOM_BESIDE) / POINT_BYTES : 0;
	return left > MOST_POINTS ? MOST_POINTS :
		left < FEWEST_POINTS ? FEWEST_POINTS : (uint32_t) left;
}

/* Keeps what is farthest out in each of many cells.  False: refused. */
static bool
thin_out(Search *s)
{
	const uint32_t allowed = count_allowed(s);
	const int	cells = (int) sqrt(allowed / 6.0);
	const uint64_t bytes = CUBE_CELLS((uint64_t) cells) * sizeof(Farthest);
	Farthest   *best;
	uint32_t	left = 0;

	if (s->kept_total <= allowed)
		return true;
	best = mf_memory_alloc(&s->job->memory, bytes);
	if (best == NULL)
		return mf_job_out_of_memory(s->job);
	for (uint32_t n = 0; n < s->kept_total; n++)
	{
		int32_t		at[3];
		double		distance;
		uint32_t	cell;

		place_vertex(s, s->kept[n], at);
		mf_polytope_centre(&s->polytope, at);
		cell = find_entry(at, cells, &distance);
		if (distance > best[cell].distance)
			best[cell] = (Farthest)
		{
			distance, s->kept[n]
		};
	}
	for (int c = 0; c < CUBE_CELLS(cells); c++)
		if (best[c].distance > 0)
			s->kept[left++] = best[c].vertex;
	mf_memory_free(&s->job->memory, best, bytes);
	s->kept_total = left;
	return true;
}

/* The place of a vertex in the order of insertion. */
static inline uint64_t
order_vertex(const Search *s, uint32_t vertex)
{
	int32_t		at[3];
	double		distance;

	place_vertex(s, vertex, at);
	mf_polytope_centre(&s->polytope, at);
	return mf_hull_order(find_entry(at, MF_HULL_ORDER_CELLS, &distance),
						 vertex, s->seed);
}

/* A task: finds the order of some of the kept vertices. */
static void
order_piece(void *arg, uint32_t piece)
{
	Search	   *s = arg;
	const uint64_t end = s->kept_total * (piece + 1) / s->pieces;

	for (uint64_t n = s->kept_total * piece / s->pieces; n < end; n++)
		s->order[n] = order_vertex(s, s->kept[n]);
}

/* A task: inserts the kept vertices in their order, round by round. */
static void
insert_kept(void *arg, uint32_t task)
{
	Search	   *s = arg;
	uint32_t	begin = s->polytope.point_count;

	(void) task;
	mf_hull_sort(s->order, s->kept_total);
	for (uint32_t n = 0; n < s->kept_total; n++)
	{
		const uint32_t vertex = (uint32_t) s->order[n];
		int32_t		at[3];

		place_vertex(s, vertex, at);
		mf_polytope_centre(&s->polytope, at);
		add_point(s, vertex, at);
		if (s->result == MF_POLYTOPE_SOLID && (n + 1 == s->kept_total ||
											   s->order[n + 1] >> MF_HULL_ROUND_SHIFT != s->order[n] >> MF_HULL_ROUND_SHIFT))
		{
			s->result = mf_polytope_extend(&s->polytope, begin);
			begin = s->polytope.point_count;
		}
	}
}

/* Begins to insert what the sample's polytope does not hold.  False: refused. */
static bool
insert_rest(Search *s)
{
	const uint32_t sampled = s->polytope.point_count;
	uint32_t   *source;
	uint64_t	bytes;

	fill_table(s);
	mf_pool_run(s->job->pool, s->pieces, sift_piece, s);
	s->kept_total = join_pieces(s);
	if (!thin_out(s) ||
		!mf_polytope_reserve(s->job, &s->polytope, sampled + s->kept_total))
		return false;
	bytes = (sampled + s->kept_total) * (uint64_t) sizeof(*source);
	source = mf_memory_alloc(&s->job->memory, bytes);
	if (source == NULL)
		return mf_job_out_of_memory(s->job);
	memcpy(source, s->source, sampled * sizeof(*source));
	mf_memory_free(&s->job->memory, s->source, s->source_bytes);
	s->source = source;
	s->source_bytes = bytes;
	s->order_bytes = 2 * s->kept_total * (uint64_t) sizeof(*s->order);
	s->order = mf_memory_alloc(&s->job->memory, s->order_bytes);
	if (s->order == NULL)
		return mf_job_out_of_memory(s->job);
	for (uint32_t p = 0; p < sampled; p++)
		for (int k = 0; k < 3; k++)
			s->seed = (s->seed ^ (uint32_t) s->polytope.point[p].at[k]) *
				0xbf58476d1ce4e5b9;
	mf_pool_run(s->job->pool, s->pieces, order_piece, s);
	s->aside = true;
	mf_pool_aside(s->job->pool, insert_kept, s);
	return true;
}

/* The volume, and the corners.  False: refused. */
static bool
take_hull(Search *s, MfHull *hull)
{
	const MfPolytope *h = &s->polytope;
	uint32_t   *number = h->spoke;	/* has done its work */
	MfSum		volume = {0};
	double		middle[3];

	for (int k = 0; k < 3; k++)
		middle[k] = s->mesh->low[k] +
			(s->mesh->high[k] - s->mesh->low[k]) / 2;
	for (uint32_t p = 0; p < h->point_count; p++)
		number[p] = 0;
	for (uint32_t f = 0; f < h->face_count; f++)
		for (int i = 0; i < 3 && h->face[f].corner[0] != NONE; i++)
			number[h->face[f].corner[i]] = 1;
	for (uint32_t p = 0; p < h->point_count; p++)
		hull->room += number[p] != 0 && s->source[p] != NONE;
	hull->at = mf_memory_alloc(&s->job->memory,
							   hull->room * (uint64_t) sizeof(*hull->at));
	if (hull->at == NULL)
		return mf_job_out_of_memory(s->job);
	for (uint32_t p = 0; p < h->point_count; p++)
		if (number[p] != 0 && s->source[p] != NONE)
		{
			number[p] = hull->count;
			mf_mesh_place(s->mesh, s->source[p], hull->at[hull->count++]);
		}
	if (s->flat)
		return true;
	for (uint32_t f = 0; f < h->face_count; f++)
	{
		double		at[3][3];

		if (h->face[f].corner[0] == NONE)
			continue;
		for (int i = 0; i < 3; i++)
			for (int k = 0; k < 3; k++)
				at[i][k] = hull->at[number[h->face[f].corner[i]]][k] -
					middle[k];
		mf_sum_add(&volume,
				   at[0][0] * (at[1][1] * at[2][2] - at[1][2] * at[2][1]) +
				   at[0][1] * (at[1][2] * at[2][0] - at[1][0] * at[2][2]) +
				   at[0][2] * (at[1][0] * at[2][1] - at[1][1] * at[2][0]));
	}
	hull->volume = fmax((volume.sum + volume.lost) / 6, 0);
	return true;
}

/*
 * Where the arrays are in a block, of those whose size is known from the
 * beginning; without one, how large it has to be.
 */
static uint64_t
lay_out(Search *s, void *block)
{
	uint64_t	taken = 0;

	s->sample = mf_memory_carve(block, &taken,
								s->pieces * sizeof(*s->sample));
	s->radius = mf_memory_carve(block, &taken, 6 * sizeof(*s->radius));
	s->within = mf_memory_carve(block, &taken, CUBE_CELLS(TABLE_CELLS) *
								sizeof(*s->within));
	s->kept = mf_memory_carve(block, &taken, s->mesh->vertex_count *
							  (uint64_t) sizeof(*s->kept));
	return taken;
}

/* Gives a search's memory back. */
static void
free_search(Search *s)
{
	MfJob	   *job = s->job;

	mf_polytope_free(job, &s->polytope);
	mf_memory_free(&job->memory, s->order, s->order_bytes);
	mf_memory_free(&job->memory, s->source, s->source_bytes);
	mf_memory_free(&job->memory, s->block, s->block_bytes);
	mf_memory_free(&job->memory, s, sizeof(*s));
}

/* Begins to find the hull; see hull.h. */
bool
mf_hull_begin(MfJob *job, const MfMesh *mesh, MfHullSearch **search)
{
	const uint32_t pieces = mesh->vertex_count / PIECE;
	Search	   *s = mf_memory_alloc(&job->memory, sizeof(*s));
	bool		good = true;

	if (s == NULL)
		return mf_job_out_of_memory(job);
	s->job = job;
	s->mesh = mesh;
	s->cells = (int) fmin(sqrt((double) mesh->vertex_count / TABLE_VERTICES),
						  TABLE_CELLS);
	if (s->cells < FEW_TABLE_CELLS)
		s->cells = FEW_TABLE_CELLS;
	s->pieces = pieces < 1 ? 1 : pieces < MAX_PIECES ? pieces : MAX_PIECES;
	for (int k = 0; k < 3; k++)
	{
		s->scale[k] = (MF_POLYTOPE_GRID - 1) / (mesh->high[k] - mesh->low[k]);
		if (!isfinite(s->scale[k]))
			s->scale[k] = 0;
	}
	s->small = mesh->vertex_count <= CUBE_CELLS(SAMPLE_CELLS);
	if (!s->small)
	{
		s->block_bytes = lay_out(s, NULL);
		s->block = mf_memory_alloc(&job->memory, s->block_bytes);
		good = s->block != NULL || mf_job_out_of_memory(job);
		if (good)
			lay_out(s, s->block);
	}
	good = good && build_sample(s) &&
		(s->small || s->result != MF_POLYTOPE_SOLID || insert_rest(s));
	if (good)
		*search = s;
	else
		free_search(s);
	return good;
}

/* Ends the search; see hull.h. */
bool
mf_hull_end(MfJob *job, MfHullSearch *s, MfHull *hull)
{
	bool		good = true;

	if (s->aside)
		mf_pool_wait(job->pool);
	if (hull != NULL)
	{
		memset(hull, 0, sizeof(*hull));
		if (s->result == MF_POLYTOPE_SOLID)
			good = take_hull(s, hull);
		else
			hull->volume = NAN;
		hull->looks = s->polytope.looks;
	}
	free_search(s);
	return good;
}

/* Finds the hull; see hull.h. */
bool
mf_hull_find(MfJob *job, const MfMesh *mesh, MfHull *hull)
{
	MfHullSearch *search;

	memset(hull, 0, sizeof(*hull));
	return mf_hull_begin(job, mesh, &search) && mf_hull_end(job, search, hull);
}

/* Gives the memory back. */
void
mf_hull_free(MfJob *job, MfHull *hull)
{
	mf_memory_free(&job->memory, hull->at,
				   hull->room * (uint64_t) sizeof(*hull->at));
	memset(hull, 0, sizeof(*hull));
}
