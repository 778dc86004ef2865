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
#include "polytope.h"

/* Directions are cells of a cube's six sides, so many along an edge. */
#define SAMPLE_CELLS	8
#define TABLE_CELLS		32
#define THIN_CELLS		418
#define SIDE_CELLS(cells)	((cells) * (cells))
#define CUBE_CELLS(cells)	(6 * SIDE_CELLS(cells))
#define NODES			((TABLE_CELLS + 1) * (TABLE_CELLS + 1))

/* More points than this are thinned out to one in each of as many cells. */
#define MOST_POINTS		(UINT32_C(1) << 20)

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

typedef struct Search
{
	MfJob	   *job;
	const MfMesh *mesh;
	double		scale[3];		/* to the grid; 0: the axis is flat */
	uint32_t	pieces;
	Farthest	(*sample)[CUBE_CELLS(SAMPLE_CELLS)];	/* of each piece */
	MfPolytope	polytope;
	bool		flat;
	double		(*radius)[NODES];	/* of the polytope, in the directions of
									 * the nodes between cells */
	uint32_t	(*face)[NODES]; /* that bounds it there */
	double	   *within;			/* largest coordinate that is within, in each
								 * cell */
	uint32_t	kept_count[MAX_PIECES];
	uint32_t   *kept;			/* vertices that are not within */
	uint32_t   *source;			/* the vertex of each of the polytope's points */
	uint64_t	source_bytes;
} Search;

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

/* The cell that a direction is in, and the largest coordinate. */
static inline uint32_t
find_cell(const double at[3], int cells, double *distance)
{
	const double size[3] = {fabs(at[0]), fabs(at[1]), fabs(at[2])};
	int			axis = size[1] > size[0] ? 1 : 0;
	int			cell[2];

	axis = size[2] > size[axis] ? 2 : axis;
	*distance = size[axis];
	if (!(size[axis] > 0))
		return 0;
	for (int i = 0; i < 2; i++)
	{
		const double part = at[(axis + 1 + i) % 3] / size[axis];

		cell[i] = (int) ((part + 1) * (cells / 2.0));
		cell[i] = cell[i] < cells ? cell[i] : cells - 1;
	}
	return ((axis * 2 + (at[axis] < 0)) * cells + cell[0]) * cells + cell[1];
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
		cell = find_cell(at, SAMPLE_CELLS, &distance);
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

/* Builds the polytope of the sample.  False: refused. */
static bool
build_sample(Search *s)
{
	const uint32_t cells = CUBE_CELLS(SAMPLE_CELLS);
	MfPolytopeResult result;

	mf_pool_run(s->job->pool, s->pieces, sample_piece, s);
	s->source_bytes = (cells + SPANNING) * sizeof(*s->source);
	s->source = mf_memory_alloc(&s->job->memory, s->source_bytes);
	if (s->source == NULL)
		return mf_job_out_of_memory(s->job);
	if (!mf_polytope_reserve(s->job, &s->polytope, cells + SPANNING))
		return false;
	for (uint32_t c = 0; c < cells; c++)
	{
		Farthest	best = {-1, NONE};
		int32_t		grid[3];

		for (uint32_t p = 0; p < s->pieces; p++)
			if (s->sample[p][c].distance > best.distance)
				best = s->sample[p][c];
		if (best.vertex == NONE)
			continue;
		place_vertex(s, best.vertex, grid);
		add_point(s, best.vertex, grid);
	}
	while ((result = mf_polytope_build(&s->polytope)) == MF_POLYTOPE_FLAT)
		add_spanning(s);
	return true;
}

/* A task: the polytope's radius in the directions of one row of nodes. */
static void
measure_row(void *arg, uint32_t row)
{
	Search	   *s = arg;
	const int	side = row / (TABLE_CELLS + 1);
	const int	i = row % (TABLE_CELLS + 1);

	for (int j = 0; j <= TABLE_CELLS; j++)
	{
		const int	axis = side / 2;
		const int	node = i * (TABLE_CELLS + 1) + j;
		double		at[3];
		double		largest = 0;

		at[axis] = side % 2 == 0 ? 1 : -1;
		at[(axis + 1) % 3] = i * (2.0 / TABLE_CELLS) - 1;
		at[(axis + 2) % 3] = j * (2.0 / TABLE_CELLS) - 1;
		for (uint32_t f = 0; f < s->polytope.face_count; f++)
		{
			const MfPolytopeFace *face = &s->polytope.face[f];
			double		part;

			if (face->corner[0] == NONE)
				continue;
			part = (face->normal[0] * at[0] + face->normal[1] * at[1] +
					face->normal[2] * at[2]) / face->height;
			if (part > largest)
			{
				largest = part;
				s->face[side][node] = f;
			}
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
	mf_pool_run(s->job->pool, 6 * (TABLE_CELLS + 1), measure_row, s);
	for (int side = 0; side < 6; side++)
		for (int i = 0; i < TABLE_CELLS; i++)
			for (int j = 0; j < TABLE_CELLS; j++)
			{
				const double *radius = &s->radius[side]
				[i * (TABLE_CELLS + 1) + j];
				const double least = fmin(fmin(radius[0], radius[1]),
										  fmin(radius[TABLE_CELLS + 1],
											   radius[TABLE_CELLS + 2]));

				s->within[(side * TABLE_CELLS + i) * TABLE_CELLS + j] =
					least * MARGIN;
			}
}

/* Where a point in the polytope's coordinates is in the table. */
static inline uint32_t
find_entry(const int32_t at[3], double *distance)
{
	const double place[3] = {at[0], at[1], at[2]};

	return find_cell(place, TABLE_CELLS, distance);
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
		entry = find_entry(at, &distance);
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

/* Keeps what is farthest out in each of many cells.  False: refused. */
static bool
thin_out(Search *s, uint32_t *count)
{
	const uint64_t bytes = CUBE_CELLS(THIN_CELLS) * sizeof(Farthest);
	Farthest   *best;
	uint32_t	left = 0;

	if (*count <= MOST_POINTS)
		return true;
	best = mf_memory_alloc(&s->job->memory, bytes);
	if (best == NULL)
		return mf_job_out_of_memory(s->job);
	for (uint32_t n = 0; n < *count; n++)
	{
		int32_t		at[3];
		double		distance;
		uint32_t	cell;

		place_vertex(s, s->kept[n], at);
		mf_polytope_centre(&s->polytope, at);
		cell = find_cell((double[]) {at[0], at[1], at[2]}, THIN_CELLS,
						 &distance);
		if (distance > best[cell].distance)
			best[cell] = (Farthest)
		{
			distance, s->kept[n]
		};
	}
	for (uint32_t c = 0; c < CUBE_CELLS(THIN_CELLS); c++)
		if (best[c].distance > 0)
			s->kept[left++] = best[c].vertex;
	mf_memory_free(&s->job->memory, best, bytes);
	*count = left;
	return true;
}

/*
 * A number below 2^bits for each, in an order that looks random: steps that
 * can be undone, as in Steele, Lea and Flood's generator.
 */
static inline uint32_t
scatter(uint32_t n, int bits, uint64_t seed)
{
	const uint64_t mask = (UINT64_C(1) << bits) - 1;
	uint64_t	x = (n + seed) & mask;

	for (int round = 0; round < 3; round++)
	{
		x ^= x >> (bits / 2 + 1);
		x = (x * 0x94d049bb133111eb + (seed >> 32)) & mask;
	}
	return (uint32_t) (x ^ x >> (bits / 2 + 1));
}

/* Adds the kept vertices in a random order, with where to begin. */
static void
add_kept(Search *s, uint32_t count)
{
	uint64_t	seed = count;
	int			bits = 1;

	while (UINT64_C(1) << bits < count)
		bits++;
	for (uint32_t p = 0; p < s->polytope.point_count; p++)
		for (int k = 0; k < 3; k++)
			seed = (seed ^ (uint32_t) s->polytope.point[p].at[k]) *
				0xbf58476d1ce4e5b9;
	for (uint64_t i = 0; i < UINT64_C(1) << bits; i++)
	{
		const uint32_t n = scatter((uint32_t) i, bits, seed);
		int32_t		at[3];
		double		distance;
		uint32_t	entry;

		if (n >= count)
			continue;
		place_vertex(s, s->kept[n], at);
		mf_polytope_centre(&s->polytope, at);
		entry = find_entry(at, &distance);
		s->polytope.point[s->polytope.point_count].face =
			s->face[entry / SIDE_CELLS(TABLE_CELLS)]
			[entry / TABLE_CELLS % TABLE_CELLS * (TABLE_CELLS + 1) +
			 entry % TABLE_CELLS];
		add_point(s, s->kept[n], at);
	}
}

/* Inserts what the sample's polytope does not hold.  False: refused. */
static bool
insert_rest(Search *s, MfPolytopeResult *result)
{
	const uint32_t sampled = s->polytope.point_count;
	uint32_t   *source;
	uint32_t	count;
	uint64_t	bytes;

	fill_table(s);
	mf_pool_run(s->job->pool, s->pieces, sift_piece, s);
	count = join_pieces(s);
	if (!thin_out(s, &count) ||
		!mf_polytope_reserve(s->job, &s->polytope, sampled + count))
		return false;
	bytes = (sampled + count) * (uint64_t) sizeof(*source);
	source = mf_memory_alloc(&s->job->memory, bytes);
	if (source == NULL)
		return mf_job_out_of_memory(s->job);
	memcpy(source, s->source, sampled * sizeof(*source));
	mf_memory_free(&s->job->memory, s->source, s->source_bytes);
	s->source = source;
	s->source_bytes = bytes;
	if (count > 0)
		add_kept(s, count);
	*result = mf_polytope_extend(&s->polytope, sampled);
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

/* Size of the arrays that do not depend on what is found, in one block. */
static uint64_t
block_bytes(const Search *s)
{
	return s->pieces * sizeof(*s->sample) +
		6 * (sizeof(*s->radius) + sizeof(*s->face)) +
		CUBE_CELLS(TABLE_CELLS) * sizeof(*s->within) +
		s->mesh->vertex_count * (uint64_t) sizeof(*s->kept);
}

/* Lays them out in that block. */
static void
lay_out(Search *s, char *block)
{
	s->sample = (Farthest (*)[CUBE_CELLS(SAMPLE_CELLS)]) block;
	s->radius = (double (*)[NODES]) (s->sample + s->pieces);
	s->within = (double *) (s->radius + 6);
	s->face = (uint32_t (*)[NODES]) (s->within + CUBE_CELLS(TABLE_CELLS));
	s->kept = (uint32_t *) (s->face + 6);
}

/* Finds the hull; see hull.h. */
bool
mf_hull_find(MfJob *job, const MfMesh *mesh, MfHull *hull)
{
	Search		s = {.job = job,.mesh = mesh};
	MfPolytopeResult result = MF_POLYTOPE_UNKNOWN;
	const uint32_t pieces = mesh->vertex_count / PIECE;
	uint64_t	bytes;
	char	   *block;
	bool		good;

	memset(hull, 0, sizeof(*hull));
	s.pieces = pieces < 1 ? 1 : pieces < MAX_PIECES ? pieces : MAX_PIECES;
	for (int k = 0; k < 3; k++)
	{
		s.scale[k] = (MF_POLYTOPE_GRID - 1) / (mesh->high[k] - mesh->low[k]);
		if (!isfinite(s.scale[k]))
			s.scale[k] = 0;
	}
	bytes = block_bytes(&s);
	block = mf_memory_alloc(&job->memory, bytes);
	if (block == NULL)
		return mf_job_out_of_memory(job);
	lay_out(&s, block);
	good = build_sample(&s) && insert_rest(&s, &result);
	if (good && result == MF_POLYTOPE_SOLID)
		good = take_hull(&s, hull);
	else
		hull->volume = NAN;
	mf_polytope_free(job, &s.polytope);
	mf_memory_free(&job->memory, s.source, s.source_bytes);
	mf_memory_free(&job->memory, block, bytes);
	return good;
}

/* Gives the memory back. */
void
mf_hull_free(MfJob *job, MfHull *hull)
{
	mf_memory_free(&job->memory, hull->at,
				   hull->room * (uint64_t) sizeof(*hull->at));
	memset(hull, 0, sizeof(*hull));
}
