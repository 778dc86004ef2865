/*
 * loops.c
 *		The closed chains of open edges: the rims of holes and slits.
 *
 * At most vertices of a rim two open edges meet, and the chain goes on from
 * one to the other.  Where more meet, holes or slits touch each other, and
 * edges are paired: first those that run in the same direction, the two sides
 * of a slit; then each with the first one that is met when it is turned away
 * from its own triangle, across the hole.  Directions are not asked for, so
 * badly wound surfaces have the same chains.
 *
 * A chain that comes back to one of its vertices is cut there into two.
 */
#include <math.h>
#include <string.h>

#include "mend.h"

/* No end, no mate, no place. */
#define NONE	UINT32_MAX

/* Open edges whose ends can be numbered. */
#define MOST	(UINT32_C(1) << 30)

/* Two units in the last place of a float, in its value. */
#define FLOAT_ULPS	(1.0 / (1 << 22))

/* Looks at pairs of ends, for each edge. */
#define LOOKS_PER_EDGE	8

/* Where the edge of an end leads to. */
typedef struct Way
{
	double		along[3];		/* of length 1 */
	double		length;
} Way;

/* Edges of a rim; an end is (rim << 1) | which of its vertices. */
typedef struct Trace
{
	MfJob	   *job;
	const MfMesh *mesh;
	MfLoops    *loops;
	double		width;			/* of a slit */
	uint32_t   *place;			/* of each vertex: where its ends stop; later
								 * its place in the chain */
	uint32_t   *end;			/* ends by vertex */
	uint32_t   *mate;			/* of each end, at the same vertex */
	uint64_t	looks;			/* that are left */
	Way		   *way;			/* of each end at a vertex */
	uint32_t	way_room;
	uint8_t    *seen;			/* of each edge */
	MfStep	   *chain;
	uint32_t	written;		/* steps of loops */
} Trace;

/* How wide a slit may be, beside what rounding to floats makes of it. */
double
mf_slit_width(const MfMesh *mesh)
{
	double		farthest = 0;

	for (int i = 0; i < 3; i++)
		farthest = fmax(farthest, fmax(fabs(mesh->low[i]),
									   fabs(mesh->high[i])));
	return fmax(MF_NEARLY * mf_mesh_diagonal(mesh),
				mesh->wide ? 0 : farthest * FLOAT_ULPS);
}

/* Counts the open edges, and writes them where there is room (not NULL). */
static uint32_t
count_rims(const MfEdges *edges, MfRim *rim)
{
	uint32_t	count = 0;
	uint32_t	from = 0;

	for (uint32_t v = 0; v < edges->vertex_count; v++)
		while (from < edges->end[v])
		{
			const uint64_t half = edges->half[from];
			const uint32_t first = from;

			while (from < edges->end[v] &&
				   MF_HALF_VERTEX(edges->half[from]) == MF_HALF_VERTEX(half))
				from++;
			if (from - first > 1)
				continue;
			if (rim != NULL)
			{
				const uint32_t down = MF_HALF_DOWNWARD(half);

				rim[count].vertex[down] = v;
				rim[count].vertex[1 - down] = MF_HALF_VERTEX(half);
				rim[count].triangle = MF_HALF_TRIANGLE(half);
			}
			count++;
		}
	return count;
}

/* Sorts the ends by their vertices; `place` becomes where a vertex's stop. */
static void
sort_ends(Trace *t)
{
	const MfLoops *loops = t->loops;
	uint32_t	begin = 0;

	for (uint32_t e = 0; e < 2 * loops->rim_count; e++)
		t->place[loops->rim[e >> 1].vertex[e & 1]]++;
	for (uint32_t v = 0; v < t->mesh->vertex_count; v++)
	{
		const uint32_t count = t->place[v];

		t->place[v] = begin;
		begin += count;
	}
	for (uint32_t e = 0; e < 2 * loops->rim_count; e++)
		t->end[t->place[loops->rim[e >> 1].vertex[e & 1]]++] = e;
}

static inline void
pair(Trace *t, uint32_t a, uint32_t b)
{
	t->mate[a] = b;
	t->mate[b] = a;
}

/* From the vertex of an end to the edge's other vertex. */
static Way
find_way(const Trace *t, uint32_t end)
{
	const MfRim *rim = &t->loops->rim[end >> 1];
	double		from[3];
	double		to[3];
	double		square = 0;
	Way			way;

	mf_mesh_place(t->mesh, rim->vertex[end & 1], from);
	mf_mesh_place(t->mesh, rim->vertex[1 - (end & 1)], to);
	for (int i = 0; i < 3; i++)
	{
		way.along[i] = to[i] - from[i];
		square += way.along[i] * way.along[i];
	}
	way.length = sqrt(square);
	for (int i = 0; i < 3; i++)
		way.along[i] = way.length > 0 ? way.along[i] / way.length : 0;
	return way;
}

/* Do two edges from one vertex run beside each other? */
static inline bool
is_slit(const Trace *t, const Way *a, const Way *b)
{
	const double length = a->length < b->length ? a->length : b->length;
	double		cosine = 0;
	double		square = 0;

	for (int i = 0; i < 3; i++)
	{
		const double apart = a->along[i] - b->along[i];

		cosine += a->along[i] * b->along[i];
		square += apart * apart;
	}
	return cosine > 0 && square * (length * length) <= t->width * t->width;
}

/*
 * The plane in which an edge is turned away from its triangle is along it,
 * and out of the triangle.
 */
static void
find_out(const Trace *t, uint32_t end, const double along[3], double out[3])
{
	const MfRim *rim = &t->loops->rim[end >> 1];
	const uint32_t *c = t->mesh->corners[rim->triangle];
	double		from[3];
	double		tip[3];
	double		dot = 0;
	double		square = 0;

	mf_mesh_place(t->mesh, rim->vertex[end & 1], from);
	for (int i = 0; i < 3; i++)
		if (c[i] != rim->vertex[0] && c[i] != rim->vertex[1])
			mf_mesh_place(t->mesh, c[i], tip);
	for (int i = 0; i < 3; i++)
	{
		out[i] = from[i] - tip[i];
		dot += out[i] * along[i];
	}
	for (int i = 0; i < 3; i++)
	{
		out[i] -= dot * along[i];
		square += out[i] * out[i];
	}
	for (int i = 0; i < 3; i++)
		out[i] = square > 0 ? out[i] / sqrt(square) : 0;
}

/* Pairs the ends of a vertex with more than two: see the file's head. */
static void
pair_many(Trace *t, const uint32_t *end, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		t->way[i] = find_way(t, end[i]);
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = i + 1; k < count && t->mate[end[i]] == NONE; k++)
			if (t->mate[end[k]] == NONE &&
				is_slit(t, &t->way[i], &t->way[k]))
				pair(t, end[i], end[k]);
	for (uint32_t i = 0; i < count; i++)
	{
		uint32_t	best = NONE;
		double		least = INFINITY;
		const double *along = t->way[i].along;
		double		out[3];

		if (t->mate[end[i]] != NONE)
			continue;
		find_out(t, end[i], along, out);
		for (uint32_t k = i + 1; k < count; k++)
		{
			const double *direction = t->way[k].along;
			double		x = 0;
			double		y = 0;
			double		angle;

			if (t->mate[end[k]] != NONE)
				continue;
			for (int a = 0; a < 3; a++)
			{
				x += direction[a] * along[a];
				y += direction[a] * out[a];
			}
			/* Grows with the angle, from 0 to 4. */
			angle = fabs(x) + fabs(y) > 0 ? x / (fabs(x) + fabs(y)) : 0;
			angle = y >= 0 ? 1 - angle : 3 + angle;
			if (angle < least)
			{
				least = angle;
				best = end[k];
			}
		}
		if (best != NONE)
			pair(t, end[i], best);
	}
}

/* Pairs the ends at each vertex. */
static void
pair_ends(Trace *t)
{
	uint32_t	from = 0;

	for (uint32_t v = 0; v < t->mesh->vertex_count; v++)
	{
		const uint32_t count = t->place[v] - from;

		mf_mend_progress(t->job, v);
		if (count > 2 && count <= t->way_room &&
			mf_take_looks(t->job, &t->looks, (uint64_t) count * count))
			pair_many(t, t->end + from, count);
		else
			for (uint32_t i = 0; i + 1 < count; i += 2)
				pair(t, t->end[from + i], t->end[from + i + 1]);
		from += count;
	}
}

/* Takes the steps above `first` off the chain: they are a loop. */
static bool
take_loop(Trace *t, uint32_t first, uint32_t top)
{
	MfLoops    *loops = t->loops;

	if (loops->loop_count == loops->loop_room)
	{
		const uint64_t had = loops->loop_room * (uint64_t) sizeof(MfLoop);
		const uint32_t room = loops->loop_room * 2 + 64;
		MfLoop	   *grown = mf_memory_grow(&t->job->memory, loops->loop, had,
										   room * (uint64_t) sizeof(MfLoop));

		if (grown == NULL)
			return mf_job_out_of_memory(t->job);
		loops->loop = grown;
		loops->loop_room = room;
	}
	loops->loop[loops->loop_count].first = t->written;
	loops->loop[loops->loop_count++].count = top - first;
	for (uint32_t i = first; i < top; i++)
	{
		t->place[t->chain[i].vertex] = NONE;
		loops->step[t->written++] = t->chain[i];
	}
	return true;
}

/*
 * Follows the chain that an edge is in, to its end or until it comes to an
 * edge that it had before.
 */
static bool
follow(Trace *t, uint32_t rim)
{
	const MfRim *rims = t->loops->rim;
	uint32_t	end = rim << 1;
	uint32_t	top = 0;

	while (end != NONE)
	{
		const uint32_t vertex = rims[end >> 1].vertex[end & 1];

		if (t->place[vertex] != NONE)
		{
			const uint32_t first = t->place[vertex];

			if (!take_loop(t, first, top))
				return false;
			top = first;
		}
		if (t->seen[end >> 1])
			break;
		t->seen[end >> 1] = 1;
		t->place[vertex] = top;
		t->chain[top].vertex = vertex;
		t->chain[top++].rim = end >> 1;
		end = t->mate[end ^ 1];
	}
	while (top > 0)
		t->place[t->chain[--top].vertex] = NONE;
	return true;
}

/* The most ends of a vertex that there are looks for. */
static uint32_t
count_most_ends(const Trace *t)
{
	const uint64_t looks = t->looks + t->job->repair_looks;
	uint32_t	from = 0;
	uint32_t	most = 0;

	for (uint32_t v = 0; v < t->mesh->vertex_count; v++)
	{
		const uint32_t count = t->place[v] - from;

		if (count > most && (uint64_t) count * count <= looks)
			most = count;
		from = t->place[v];
	}
	return most;
}

/* Pairs all ends.  False: there is no memory. */
static bool
pair_all(Trace *t)
{
	const uint64_t rims = t->loops->rim_count;
	uint64_t	bytes;

	t->looks = LOOKS_PER_EDGE * rims;
	sort_ends(t);
	memset(t->mate, 0xff, 2 * rims * sizeof(*t->mate));
	t->way_room = count_most_ends(t);
	bytes = t->way_room * (uint64_t) sizeof(*t->way);
	t->way = mf_memory_alloc(&t->job->memory, bytes);
	if (t->way == NULL)
		return false;
	pair_ends(t);
	mf_memory_free(&t->job->memory, t->way, bytes);
	return true;
}

/* Follows all chains. */
static bool
follow_all(Trace *t)
{
	memset(t->place, 0xff, t->mesh->vertex_count * sizeof(*t->place));
	for (uint32_t r = 0; r < t->loops->rim_count; r++)
	{
		mf_mend_progress(t->job, r);
		if (!t->seen[r] && !follow(t, r))
			return false;
	}
	return true;
}

/*
 * Finds the closed chains of open edges.  The caller frees them in any case.
 * False: refused.
 */
bool
mf_loops_find(MfJob *job, const MfMesh *mesh, const MfEdges *edges,
			  MfLoops *loops)
{
	const uint64_t rims = count_rims(edges, NULL);
	const uint64_t place_bytes = mesh->vertex_count * (uint64_t) 4;
	MfMemory   *memory = &job->memory;
	Trace		t = {
		.job = job,.mesh = mesh,.loops = loops,.width = mf_slit_width(mesh)
	};
	bool		good;

	memset(loops, 0, sizeof(*loops));
	if (rims == 0 || rims > MOST)
		return true;
	loops->rim = mf_memory_alloc(memory, rims * sizeof(*loops->rim));
	if (loops->rim != NULL)
		loops->rim_count = (uint32_t) rims;
	t.place = mf_memory_alloc(memory, place_bytes);
	t.end = mf_memory_alloc(memory, 2 * rims * sizeof(*t.end));
	t.mate = mf_memory_alloc(memory, 2 * rims * sizeof(*t.mate));
	t.seen = mf_memory_alloc(memory, rims);
	good = loops->rim != NULL && t.place != NULL && t.end != NULL &&
		t.mate != NULL && t.seen != NULL;
	if (good)
	{
		count_rims(edges, loops->rim);
		good = pair_all(&t);
	}

	/* Where the ends were is room for the steps. */
	mf_memory_free(memory, t.end, 2 * rims * sizeof(*t.end));
	loops->step = mf_memory_alloc(memory, rims * sizeof(*loops->step));
	t.chain = mf_memory_alloc(memory, rims * sizeof(*t.chain));
	good = good && loops->step != NULL && t.chain != NULL;
	good = good ? follow_all(&t) : mf_job_out_of_memory(job);
	mf_memory_free(memory, t.chain, rims * sizeof(*t.chain));
	mf_memory_free(memory, t.place, place_bytes);
	mf_memory_free(memory, t.mate, 2 * rims * sizeof(*t.mate));
	mf_memory_free(memory, t.seen, rims);
	loops->step_room = (uint32_t) rims;
	return good;
}

/* Gives the loops' memory back. */
void
mf_loops_free(MfJob *job, MfLoops *loops)
{
	mf_memory_free(&job->memory, loops->rim,
				   loops->rim_count * (uint64_t) sizeof(*loops->rim));
	mf_memory_free(&job->memory, loops->step,
				   loops->step_room * (uint64_t) sizeof(*loops->step));
	mf_memory_free(&job->memory, loops->loop,
				   loops->loop_room * (uint64_t) sizeof(*loops->loop));
	memset(loops, 0, sizeof(*loops));
}
