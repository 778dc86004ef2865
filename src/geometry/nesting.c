/*
 * nesting.c
 *		Which shell lies inside which, and so what each is to the solid.
 *
 * Two points of every shell are looked at from above: the triangles of
 * another shell over a point, counted by the way they face, give that
 * shell's winding number around it.  Solid is where the sum of the winding
 * numbers is above zero (the positive fill rule of 3MF), which settles what
 * a shell within shells adds or takes away.
 *
 * The points lie in a grid over x and y, and only shells whose boxes contain
 * another's are gone through, triangle by triangle.  The work has a budget:
 * what is left when it is used up is counted as unknown.
 */
#include <math.h>
#include <string.h>

#include "crossing.h"

/* Looks at a point or a cell of the grid, in all; about half a second. */
#define BUDGET	UINT64_C(100000000)

/* Crossings that are kept, in all. */
#define MAX_HITS	UINT64_C(4000000)

/* The grid's cells along each side, at most. */
#define MAX_SIDE	256

#define POINTS	2				/* of each shell */

typedef struct Box
{
	double		low[3];
	double		high[3];
	uint32_t	triangle[POINTS];	/* the first and the last one */
	bool		outer;			/* its box contains another shell's */
} Box;

typedef struct Search
{
	MfJob	   *job;
	const MfMesh *mesh;
	const uint32_t *shell;
	const uint8_t *mark;
	uint32_t	shell_count;
	Box		   *box;
	double		(*point)[3];	/* POINTS for each shell */
	uint32_t	side;
	double		origin[2];
	double		per_cell[2];
	uint32_t   *cell_end;
	uint32_t   *in_cell;		/* points, by cell */
	uint64_t   *hit;			/* point << 33 | shell << 1 | downward */
	uint64_t	hit_count;
	uint64_t	hit_room;
	uint64_t	budget;
} Search;

/* Boxes of all shells, and one point on the first and the last triangle. */
static void
bound_shells(Search *s)
{
	for (uint32_t i = 0; i < s->shell_count; i++)
		for (int k = 0; k < 3; k++)
		{
			s->box[i].low[k] = INFINITY;
			s->box[i].high[k] = -INFINITY;
		}
	for (uint32_t t = 0; t < s->mesh->triangle_count; t++)
	{
		Box		   *box;
		double		at[3][3];

		if (s->shell[t] == MF_NO_SHELL)
			continue;
		box = &s->box[s->shell[t]];
		if (box->low[0] > box->high[0])
			box->triangle[0] = t;
		box->triangle[1] = t;
		mf_mesh_triangle(s->mesh, t, at);
		for (int i = 0; i < 3; i++)
			for (int k = 0; k < 3; k++)
			{
				box->low[k] = at[i][k] < box->low[k] ? at[i][k] : box->low[k];
				box->high[k] = at[i][k] > box->high[k] ? at[i][k] :
					box->high[k];
			}
	}
	for (uint32_t i = 0; i < s->shell_count; i++)
		for (int p = 0; p < POINTS; p++)
		{
			double		at[3][3];

			mf_mesh_triangle(s->mesh, s->box[i].triangle[p], at);
			/* Off the middle: symmetric models line up there. */
			for (int k = 0; k < 3; k++)
				s->point[POINTS * i + p][k] = at[0][k] * 0.36 +
					at[1][k] * 0.33 + at[2][k] * 0.31;
		}
}

/* The grid's column or row of a coordinate. */
static uint32_t
cell_of(const Search *s, int axis, double coordinate)
{
	const double cell = (coordinate - s->origin[axis]) * s->per_cell[axis];

	if (!(cell > 0))
		return 0;
	return cell >= s->side ? s->side - 1 : (uint32_t) cell;
}

/* Puts the points into the grid's cells. */
static void
fill_grid(Search *s)
{
	const uint32_t points = POINTS * s->shell_count;
	const uint32_t cells = s->side * s->side;
	uint32_t	begin = 0;

	for (int k = 0; k < 2; k++)
	{
		const double extent = s->mesh->high[k] - s->mesh->low[k];

		s->origin[k] = s->mesh->low[k];
		s->per_cell[k] = extent > 0 ? s->side / extent : 0;
	}
	for (uint32_t p = 0; p < points; p++)
		s->cell_end[cell_of(s, 1, s->point[p][1]) * s->side +
					cell_of(s, 0, s->point[p][0])]++;
	for (uint32_t c = 0; c < cells; c++)
	{
		const uint32_t count = s->cell_end[c];

		s->cell_end[c] = begin;
		begin += count;
	}
	for (uint32_t p = 0; p < points; p++)
		s->in_cell[s->cell_end[cell_of(s, 1, s->point[p][1]) * s->side +
							   cell_of(s, 0, s->point[p][0])]++] = p;
}

/* Does the box of shell j contain that of shell i? */
static inline bool
box_contains(const Search *s, uint32_t j, uint32_t i)
{
	const Box  *outer = &s->box[j];
	const Box  *inner = &s->box[i];

	for (int k = 0; k < 3; k++)
		if (inner->low[k] < outer->low[k] || inner->high[k] > outer->high[k])
			return false;
	return i != j;
}

/* Keeps one crossing of a point's line with shell j; false: no room. */
static bool
keep_hit(Search *s, uint32_t p, uint32_t j, int winding)
{
	if (s->hit_count == s->hit_room)
	{
		const uint64_t room = s->hit_room * 2 + 1024;
		void	   *grown;

		if (room > MAX_HITS)
			return false;
		grown = mf_memory_grow(&s->job->memory, s->hit,
							   s->hit_room * sizeof(*s->hit),
							   room * sizeof(*s->hit));
		if (grown == NULL)
			return false;
		s->hit = grown;
		s->hit_room = room;
	}
	s->hit[s->hit_count++] = (uint64_t) p << 33 | (uint64_t) j << 1 |
		(winding < 0);
	return true;
}

/*
 * Goes through the points under a rectangle that belongs to shell j: marks j
 * as outer where it is the shell's own box (corner NULL), else tests them
 * against the triangle.  False: the budget is used up.
 */
static bool
visit_points(Search *s, uint32_t j, const double low[2], const double high[2],
			 const uint32_t *corner, double at[3][3], bool turned)
{
	const uint32_t right = cell_of(s, 0, high[0]);
	const uint32_t top = cell_of(s, 1, high[1]);

	for (uint32_t row = cell_of(s, 1, low[1]); row <= top; row++)
		for (uint32_t column = cell_of(s, 0, low[0]); column <= right; column++)
		{
			const uint32_t cell = row * s->side + column;
			uint32_t	n = cell > 0 ? s->cell_end[cell - 1] : 0;

			if (s->budget <= s->cell_end[cell] - n)
				return false;
			s->budget -= s->cell_end[cell] - n + 1;
			for (; n < s->cell_end[cell]; n++)
			{
				const uint32_t p = s->in_cell[n];
				const double *point = s->point[p];
				int			winding;

				if (!box_contains(s, j, p / POINTS))
					continue;
				if (corner == NULL)
				{
					s->box[j].outer = true;
					return true;
				}
				winding = triangle_winding(corner, at, point[0], point[1]);
				if (winding != 0 && triangle_above(at, point) &&
					!keep_hit(s, p, j, turned ? -winding : winding))
					return false;
			}
		}
	return true;
}

/* Finds all crossings.  False: the budget was used up on the way. */
static bool
cross_shells(Search *s)
{
	bool		any = false;

	for (uint32_t j = 0; j < s->shell_count; j++)
	{
		if (!visit_points(s, j, s->box[j].low, s->box[j].high, NULL, NULL,
						  false))
			return false;
		any |= s->box[j].outer;
	}
	for (uint32_t t = 0; any && t < s->mesh->triangle_count; t++)
	{
		const uint32_t *corner = s->mesh->corners[t];
		double		at[3][3];
		double		low[2] = {INFINITY, INFINITY};
		double		high[2] = {-INFINITY, -INFINITY};

		if (t % MF_PROGRESS_ITEMS == 0)
			mf_job_progress(s->job, MF_STAGE_MEASURING,
							s->mesh->triangle_count,
							s->mesh->triangle_count);
		if (s->shell[t] == MF_NO_SHELL || !s->box[s->shell[t]].outer)
			continue;
		mf_mesh_triangle(s->mesh, t, at);
		for (int i = 0; i < 3; i++)
			for (int k = 0; k < 2; k++)
			{
				low[k] = at[i][k] < low[k] ? at[i][k] : low[k];
				high[k] = at[i][k] > high[k] ? at[i][k] : high[k];
			}
		if (!visit_points(s, s->shell[t], low, high, corner, at,
						  s->mark != NULL &&
						  (s->mark[t] & MF_MARK_TURNED) != 0))
			return false;
	}
	return true;
}

/*
 * Turns the crossings into pairs (inner << 32 | outer), in place: a shell is
 * inside another where that winds around all of its points.
 */
static uint64_t
pair_shells(Search *s)
{
	uint64_t	out = 0;
	uint64_t	n = 0;

	/* First (shell << 32 | outer shell), once for each point inside. */
	mf_sort_words(s->hit, s->hit_count);
	while (n < s->hit_count)
	{
		const uint64_t key = s->hit[n] >> 1;
		int64_t		winding = 0;

		for (; n < s->hit_count && s->hit[n] >> 1 == key; n++)
			winding += (s->hit[n] & 1) != 0 ? -1 : 1;
		if (winding != 0)
			s->hit[out++] = (key >> 32) / POINTS << 32 | (uint32_t) key;
	}
	s->hit_count = out;

	mf_sort_words(s->hit, s->hit_count);
	out = 0;
	for (n = 0; n < s->hit_count;)
	{
		const uint64_t key = s->hit[n];
		uint64_t	count = 0;

		for (; n < s->hit_count && s->hit[n] == key; n++)
			count++;
		if (count == POINTS)
			s->hit[out++] = key;
	}
	return out;
}

/* +1: the shell faces outward, -1: inward, 0: encloses nothing. */
static int
facing(const MfSums *sums, uint32_t shell)
{
	const MfSum *sum = &sums->shell[shell].volume;
	const double volume = sum->sum + sum->lost;

	return (volume > 0) - (volume < 0);
}

/* The same, turned where the body is inside out. */
static int
effective(const MfSums *sums, const MfNesting *nesting, uint32_t shell)
{
	return nesting->inverted[shell] ? -facing(sums, shell) :
		facing(sums, shell);
}

/*
 * Gives each shell its role.  A shell that lies in no other is a body, and
 * where it faces inward, it and what is in it are inside out.
 */
static void
give_roles(const MfSums *sums, const uint64_t *pair, uint64_t pairs,
		   MfNesting *nesting)
{
	uint64_t	n = 0;

	for (uint32_t i = 0; i < nesting->shell_count; i++)
	{
		nesting->role[i] = MF_SHELL_BODY;
		nesting->inverted[i] = facing(sums, i) < 0;
	}

	/* 1. Those inside others: no body of their own until step 3. */
	for (n = 0; n < pairs; n++)
		nesting->role[pair[n] >> 32] = MF_SHELL_REDUNDANT_BODY;

	/* 2. They are inside out where the outermost one around them is. */
	for (n = 0; n < pairs; n++)
	{
		const uint32_t outer = (uint32_t) pair[n];

		if (n == 0 || pair[n] >> 32 != pair[n - 1] >> 32)
			nesting->inverted[pair[n] >> 32] = false;
		if (nesting->role[outer] == MF_SHELL_BODY)
			nesting->inverted[pair[n] >> 32] = facing(sums, outer) < 0;
	}

	/* 3. What the shells around a shell make of the place it is in. */
	for (n = 0; n < pairs;)
	{
		const uint32_t i = (uint32_t) (pair[n] >> 32);
		const int	own = effective(sums, nesting, i);
		int64_t		around = 0;

		for (; n < pairs && pair[n] >> 32 == i; n++)
			around += effective(sums, nesting, (uint32_t) pair[n]);
		if (own == 0 || (around <= 0 && around + own > 0))
			nesting->role[i] = MF_SHELL_BODY;
		else if (around > 0 && around + own <= 0)
			nesting->role[i] = MF_SHELL_CAVITY;
		else
			nesting->role[i] = own > 0 ? MF_SHELL_REDUNDANT_BODY :
				MF_SHELL_REDUNDANT_CAVITY;
	}
}

/* Allocates what a search needs; false: no memory. */
static bool
begin_search(Search *s)
{
	MfMemory   *memory = &s->job->memory;
	const uint64_t shells = s->shell_count;

	s->budget = BUDGET;
	s->side = (uint32_t) sqrt((double) shells) + 1;
	if (s->side > MAX_SIDE)
		s->side = MAX_SIDE;
	s->box = mf_memory_alloc(memory, shells * sizeof(*s->box));
	s->point = mf_memory_alloc(memory, POINTS * shells * sizeof(*s->point));
	s->in_cell = mf_memory_alloc(memory, POINTS * shells *
								 sizeof(*s->in_cell));
	s->cell_end = mf_memory_alloc(memory, (uint64_t) s->side * s->side *
								  sizeof(*s->cell_end));
	return s->box != NULL && s->point != NULL && s->in_cell != NULL &&
		s->cell_end != NULL;
}

static void
end_search(Search *s)
{
	MfMemory   *memory = &s->job->memory;
	const uint64_t shells = s->shell_count;

	mf_memory_free(memory, s->box, shells * sizeof(*s->box));
	mf_memory_free(memory, s->point, POINTS * shells * sizeof(*s->point));
	mf_memory_free(memory, s->in_cell, POINTS * shells *
				   sizeof(*s->in_cell));
	mf_memory_free(memory, s->cell_end, (uint64_t) s->side * s->side *
				   sizeof(*s->cell_end));
	mf_memory_free(memory, s->hit, s->hit_room * sizeof(*s->hit));
}

/*
 * Finds the roles of the shells of a mesh whose shells are all closed.  The
 * caller frees the nesting in any case.  False: refused.
 */
bool
mf_nesting_find(MfJob *job, const MfMesh *mesh, const uint32_t *shell,
				const uint8_t *mark, const MfSums *sums, uint32_t shell_count,
				MfNesting *nesting)
{
	Search		s = {.job = job,.mesh = mesh,.shell = shell,.mark = mark,
	.shell_count = shell_count};
	uint64_t	pairs = 0;
	bool		good = true;

	memset(nesting, 0, sizeof(*nesting));
	nesting->shell_count = shell_count;
	nesting->role = mf_memory_alloc(&job->memory, shell_count);
	nesting->inverted = mf_memory_alloc(&job->memory, shell_count);
	if (nesting->role == NULL || nesting->inverted == NULL)
		return mf_job_out_of_memory(job);

	if (shell_count > 1)
	{
		good = begin_search(&s);
		if (good)
		{
			bound_shells(&s);
			fill_grid(&s);
			if (cross_shells(&s))
				pairs = pair_shells(&s);
			else
				nesting->unknown = shell_count;
		}
	}
	if (good)
		give_roles(sums, s.hit, pairs, nesting);
	end_search(&s);
	return good || mf_job_out_of_memory(job);
}

/* Gives the nesting's memory back. */
void
mf_nesting_free(MfJob *job, MfNesting *nesting)
{
	mf_memory_free(&job->memory, nesting->role, nesting->shell_count);
	mf_memory_free(&job->memory, nesting->inverted, nesting->shell_count);
	nesting->role = NULL;
	nesting->inverted = NULL;
}
