/*
 * obj.c
 *		Wavefront OBJ: vertices, and polygons over their numbers.
 *
 * Groups, materials, normals, textures, lines and points say nothing about
 * the shape, nor does a statement that is not known.  Curved surfaces do, and
 * a file that has some is not read.
 *
 * The file is read in waves of some pieces each (obj_piece.c).  What a wave
 * has found is put into the mesh in the order of the file: triangles at once,
 * larger polygons as their corners, in the room of their triangles, to be
 * split when all vertices are known.  The mesh is welded last: a file has
 * several vertices of the same place where textures meet.
 */
#include <string.h>

#include "obj.h"
#include "polygon.h"
#include "text.h"

/* Pieces that are read before any of them is put into the mesh. */
#define WAVE	8

/*
 * The shortest vertex is "v 0 0 0", the shortest polygon "f 1 2 3", each with
 * an end of line; so much fits into a piece of some bytes at the most.
 */
#define MOST_STATEMENTS(bytes)	((bytes) / 8 + 1)
#define MOST_CORNERS(bytes)		((bytes) / 2 + 1)

/*
 * A small polygon; how many are looked at by a task; and the looks that one
 * may take, of which it takes fewer than the cube of its corners.
 */
#define SMALL	8
#define RANGE	8192
#define LOOKS	(UINT64_C(1) << 20)

/* A usual file has about so many bytes for each of these. */
#define USUAL_VERTEX_BYTES		80
#define USUAL_TRIANGLE_BYTES	40

/* A polygon to be split: its corners are where its triangles will be. */
typedef struct Polygon
{
	uint32_t	triangle;
	uint32_t	count;
} Polygon;

/* Polygons of a range that cross themselves. */
typedef struct Crossed
{
	uint64_t	count;
	uint64_t	first;			/* polygon */
	uint32_t	vertex;			/* its first corner */
} Crossed;

typedef struct Reader
{
	MfJob	   *job;
	MfMesh	   *mesh;
	const char *at;				/* the next wave */
	const char *end;
	uint64_t	piece_bytes;	/* that room has been made for */
	const char *looked_from;	/* the next cut behind this ... */
	const char *next_cut;		/* ... is here */
	uint32_t	pieces;			/* of this wave */
	MfObjPiece	piece[WAVE];
	uint64_t	before[WAVE];	/* vertices before each piece */
	uint64_t	triangles[WAVE];	/* and triangles */
	uint64_t	polygons[WAVE]; /* and polygons to be split */
	bool		bad[WAVE];		/* goes back behind the first vertex */
	int64_t		highest;		/* number of a vertex used so far */
	Polygon    *polygon;
	uint64_t	polygon_count;
	uint64_t	polygon_room;
	Crossed    *crossed;		/* of each range of polygons */
} Reader;

/* Makes room for what can be in one piece. */
static bool
reserve_piece(Reader *r, MfObjPiece *piece)
{
	MfMemory   *memory = &r->job->memory;

	piece->vertex_room = piece->face_room =
		(uint32_t) MOST_STATEMENTS(r->piece_bytes);
	piece->corner_room = (uint32_t) MOST_CORNERS(r->piece_bytes);
	piece->vertex = mf_memory_alloc(memory, piece->vertex_room *
									sizeof(*piece->vertex));
	piece->corner = mf_memory_alloc(memory, piece->corner_room *
									sizeof(*piece->corner));
	piece->face = mf_memory_alloc(memory, piece->face_room *
								  sizeof(*piece->face));
	return (piece->vertex != NULL && piece->corner != NULL &&
			piece->face != NULL) || mf_job_out_of_memory(r->job);
}

static void
free_piece(Reader *r, MfObjPiece *piece)
{
	MfMemory   *memory = &r->job->memory;

	mf_memory_free(memory, piece->vertex, piece->vertex_room *
				   sizeof(*piece->vertex));
	mf_memory_free(memory, piece->corner, piece->corner_room *
				   sizeof(*piece->corner));
	mf_memory_free(memory, piece->face, piece->face_room *
				   sizeof(*piece->face));
	memset(piece, 0, sizeof(*piece));
}

/*
 * Where a piece ends that begins here: where a statement does.  A cut that
 * has been found is kept: where lines go on for long, they are looked through
 * once.
 */
static const char *
find_cut(Reader *r, const char *from)
{
	const char *p = from;

	if ((uint64_t) (r->end - from) <= r->piece_bytes)
		return r->end;
	p += r->piece_bytes;
	if (r->looked_from != NULL && p >= r->looked_from && p < r->next_cut)
		return r->next_cut;
	r->looked_from = p;
	while (p < r->end && (!mf_text_is_line_end(*p) || mf_obj_goes_on(from, p)))
		p++;
	if (p + 1 < r->end && p[0] == '\r' && p[1] == '\n')
		p++;
	r->next_cut = p < r->end ? p + 1 : r->end;
	return r->next_cut;
}

/* A task: reads a piece. */
static void
read_piece(void *arg, uint32_t task)
{
	Reader	   *r = arg;

	mf_obj_read_piece(&r->piece[task], NULL);
}

/*
 * Refuses what is wrong in a piece that has been found to have something.
 * False.
 */
static bool
refuse_piece(Reader *r, uint32_t piece)
{
	const MfObjCheck check = {
		.job = r->job,.before = r->before[piece],.all = UINT64_MAX
	};

	return mf_obj_read_piece(&r->piece[piece], &check) && false;
}

/* A task: puts a piece into the mesh, where there is room. */
static void
put_piece(void *arg, uint32_t task)
{
	Reader	   *r = arg;
	const MfObjPiece *piece = &r->piece[task];
	const int64_t before = (int64_t) r->before[task];
	const int64_t *corner = piece->corner;
	uint64_t	triangle = r->triangles[task];
	uint64_t	polygon = r->polygons[task];

	r->bad[task] = false;
	memcpy(r->mesh->wide_at + before, piece->vertex,
		   piece->vertices * sizeof(*piece->vertex));
	for (uint32_t f = 0; f < piece->faces; f++)
	{
		const uint32_t count = piece->face[f];
		uint32_t   *to = r->mesh->corners[triangle];

		for (uint32_t i = 0; i < count; i++)
		{
			int64_t		vertex = corner[i];

			if (vertex < -MF_OBJ_BACKWARDS)
				vertex += 2 * MF_OBJ_BACKWARDS + before;
			r->bad[task] |= vertex < 0;
			to[i] = (uint32_t) vertex;
		}
		if (count > 3)
		{
			r->polygon[polygon].triangle = (uint32_t) triangle;
			r->polygon[polygon++].count = count;
		}
		corner += count;
		triangle += count - 2;
	}
}

/* Makes room for some more polygons to be split. */
static bool
reserve_polygons(Reader *r, uint64_t room)
{
	Polygon    *grown;

	if (room <= r->polygon_room)
		return true;
	room += room / 2;
	grown = mf_memory_grow(&r->job->memory, r->polygon,
						   r->polygon_room * sizeof(*grown),
						   room * sizeof(*grown));
	if (grown == NULL)
		return mf_job_out_of_memory(r->job);
	r->polygon = grown;
	r->polygon_room = room;
	return true;
}

/* Counts what the wave has found, piece by piece, and makes room for it. */
static bool
count_wave(Reader *r)
{
	MfMesh	   *mesh = r->mesh;
	uint64_t	vertices = mesh->vertex_count;
	uint64_t	triangles = mesh->triangle_count;

	for (uint32_t i = 0; i < r->pieces; i++)
	{
		const MfObjPiece *piece = &r->piece[i];

		r->before[i] = vertices;
		r->triangles[i] = triangles;
		r->polygons[i] = r->polygon_count;
		if (piece->failed)
			return refuse_piece(r, i);
		vertices += piece->vertices;
		triangles += piece->triangles;
		r->polygon_count += piece->polygons;
		if (piece->highest > r->highest)
			r->highest = piece->highest;

		/* Where a piece has stopped, the next wave begins. */
		r->at = piece->stopped;
		if (r->at < piece->to)
			r->pieces = i + 1;
	}
	if (triangles > r->job->max_triangles || vertices > UINT32_MAX - 1)
		return mf_job_too_many(r->job, 0);
	if (!mf_mesh_reserve_vertices(r->job, mesh, vertices) ||
		!mf_mesh_reserve_triangles(r->job, mesh, triangles) ||
		!reserve_polygons(r, r->polygon_count))
		return false;
	mesh->vertex_count = (uint32_t) vertices;
	mesh->triangle_count = (uint32_t) triangles;
	return true;
}

/* Reads the next pieces, and puts them into the mesh. */
static bool
read_wave(Reader *r)
{
	const char *from = r->at;

	mf_job_progress(r->job, MF_STAGE_READING,
					r->at - (const char *) r->job->bytes, r->job->size);
	for (r->pieces = 0; r->pieces < WAVE && from < r->end; r->pieces++)
	{
		MfObjPiece *piece = &r->piece[r->pieces];

		if (piece->vertex == NULL && !reserve_piece(r, piece))
			return false;
		piece->from = from;
		piece->to = from = find_cut(r, from);
	}
	mf_pool_run(r->job->pool, r->pieces, read_piece, r);
	if (!count_wave(r))
		return false;
	mf_pool_run(r->job->pool, r->pieces, put_piece, r);
	for (uint32_t i = 0; i < r->pieces; i++)
		if (r->bad[i])
			return refuse_piece(r, i);
	return true;
}

/*
 * Refuses the first number of a vertex that is not there, when it is known
 * that there is one; false.
 */
static bool
refuse_highest(Reader *r, const char *from)
{
	MfObjPiece *piece = &r->piece[0];
	MfObjCheck	check = {.job = r->job,.all = r->mesh->vertex_count};

	for (piece->from = from; piece->from < r->end;
		 piece->from = piece->stopped)
	{
		piece->to = find_cut(r, piece->from);
		if (!mf_obj_read_piece(piece, &check))
			return false;
		check.before += piece->vertices;
	}
	return false;
}

/* Takes the corners of a polygon from the room of its triangles. */
static inline void
load_polygon(const Reader *r, uint64_t number, MfPolygon *polygon)
{
	const Polygon *from = &r->polygon[number];
	const uint32_t *corner = r->mesh->corners[from->triangle];

	polygon->count = from->count;
	for (uint32_t i = 0; i < from->count; i++)
		polygon->corner[i].vertex = corner[i];
}

/* A task: splits the small polygons of a range. */
static void
split_small(void *arg, uint32_t task)
{
	const Reader *r = arg;
	const uint64_t from = task * (uint64_t) RANGE;
	const uint64_t to = from + RANGE < r->polygon_count ? from + RANGE :
	r->polygon_count;
	MfPolygonCorner corner[SMALL];
	uint32_t	cell[SMALL];
	MfPolygon	polygon = {.room = SMALL,.corner = corner,.cell = cell};

	for (uint64_t p = from; p < to; p++)
	{
		if (r->polygon[p].count > SMALL)
			continue;
		load_polygon(r, p, &polygon);
		polygon.looks_left = LOOKS;
		if (!mf_polygon_split(&polygon,
							  (const double (*)[3]) r->mesh->wide_at,
							  r->mesh->corners + r->polygon[p].triangle) &&
			r->crossed[task].count++ == 0)
		{
			r->crossed[task].first = p;
			r->crossed[task].vertex = corner[0].vertex;
		}
	}
}

/* Splits the large polygons, one by one: they share a budget. */
static bool
split_large(Reader *r, Crossed *crossed)
{
	const uint64_t before = r->job->crossed_polygons;
	MfPolygon	polygon;
	bool		good = true;

	mf_polygon_begin(&polygon);
	for (uint64_t p = 0; good && p < r->polygon_count; p++)
	{
		if (p % MF_PROGRESS_ITEMS == 0)
			mf_job_progress(r->job, MF_STAGE_READING, p, r->polygon_count);
		if (r->polygon[p].count <= SMALL)
			continue;
		good = r->polygon[p].count <= polygon.room ||
			mf_polygon_reserve(r->job, &polygon, r->polygon[p].count);
		if (!good)
			break;
		load_polygon(r, p, &polygon);
		good = mf_polygon_put(r->job, r->mesh, &polygon,
							  r->polygon[p].triangle);
		if (r->job->crossed_polygons > before && crossed->count == 0)
			crossed->first = p;
		crossed->count = r->job->crossed_polygons - before;
	}
	mf_polygon_end(r->job, &polygon);
	return good;
}

/*
 * Splits the polygons: the small ones by all threads, each within a budget
 * that it cannot spend.  The first that crosses itself is that of the file.
 */
static bool
split_polygons(Reader *r)
{
	const uint32_t ranges = (uint32_t) ((r->polygon_count + RANGE - 1) / RANGE);
	const uint64_t bytes = ranges * (uint64_t) sizeof(*r->crossed);
	Crossed		large = {.first = UINT64_MAX};
	bool		good;

	r->crossed = mf_memory_alloc(&r->job->memory, bytes);
	if (r->crossed == NULL)
		return mf_job_out_of_memory(r->job);
	mf_pool_run(r->job->pool, ranges, split_small, r);
	good = split_large(r, &large);
	for (uint32_t i = 0; i < ranges; i++)
	{
		const Crossed *c = &r->crossed[i];

		r->job->crossed_polygons += c->count;
		if (c->count == 0 || c->first >= large.first)
			continue;
		large.first = c->first;
		memcpy(r->job->crossed_at, r->mesh->wide_at[c->vertex],
			   sizeof(r->job->crossed_at));
	}
	mf_memory_free(&r->job->memory, r->crossed, bytes);
	return good;
}

/* All steps that may be refused. */
static bool
work_through(Reader *r)
{
	MfJob	   *job = r->job;
	const char *from = r->at;
	uint64_t	triangles = job->size / USUAL_TRIANGLE_BYTES + 1;

	if (triangles > job->max_triangles)
		triangles = job->max_triangles;
	if (!mf_mesh_reserve_triangles(job, r->mesh, triangles) ||
		!mf_mesh_reserve_vertices(job, r->mesh,
								  job->size / USUAL_VERTEX_BYTES + 1))
		return false;
	while (r->at < r->end)
		if (!read_wave(r))
			return false;
	if (r->highest >= (int64_t) r->mesh->vertex_count)
		return refuse_highest(r, from);
	return split_polygons(r);
}

/* Reads a file that detection has found to be OBJ. */
bool
mf_obj_read(MfJob *job, MfMesh *mesh)
{
	Reader		r = {
		.job = job,.mesh = mesh,.at = (const char *) job->bytes,
		.piece_bytes = MF_OBJ_PIECE_BYTES,.highest = -1
	};
	bool		good;

	r.end = r.at + mf_text_length(job->bytes, job->size);
	if (job->size < r.piece_bytes)
		r.piece_bytes = job->size;
	if (job->size >= 3 && memcmp(r.at, "\357\273\277", 3) == 0)
		r.at += 3;
	mesh->wide = true;
	good = work_through(&r);
	for (int i = 0; i < WAVE; i++)
		free_piece(&r, &r.piece[i]);
	mf_memory_free(&job->memory, r.polygon,
				   r.polygon_room * sizeof(*r.polygon));
	if (good && mesh->triangle_count == 0)
	{
		mf_refuse(job->refusal, MF_ERROR_EMPTY,
				  "The file contains no triangles.");
		return false;
	}
	return good && mf_weld_vertices(job, mesh);
}
