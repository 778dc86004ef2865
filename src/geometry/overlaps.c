/*
 * overlaps.c
 *		Material that is there more than once, or less than once: volume that
 *		the sum over the bodies gets wrong.
 *
 * Vertical lines, one in each cell of a grid over the scene's box, at a place
 * of the cell that only its number decides; along each, the depth of material
 * from the windings of the surfaces it passes.  Where the depth is d > 1, the
 * sum counts d - 1 times too often; where it is d < 0, -d times too little.
 * Both are added up.  A cavity has depth 0, and a body within a body that
 * nesting.c has left out is left out here.
 *
 * The error of the volume falls with the number of lines as for any grid; an
 * overlap that is narrower than a cell may be missed, and intersections.c
 * finds it.
 */
#include <math.h>
#include <string.h>

#include "rays.h"

#define MIN_SIDE		24		/* lines along each side of the grid */
#define MIN_SIDE_BODIES	64		/* where there are several bodies */
#define MAX_SIDE		128
#define MAX_PASSAGES	512		/* of a line */
#define LOOKS			1600	/* of a line, which goes through everything */

/* What is shorter than this part of the diagonal only touches. */
#define TOUCHING		1e-6

/*
 * Wrong by more than this part of the volume within one part: a person has to
 * look.  Bodies that are pushed into each other a little are common, and are
 * printed well; instances are put into each other on purpose, to be seen
 * together, and are a warning only, whose sentence names the volume.
 */
#define ERROR_SHARE		1e-3
#define WARNING_SHARE	1e-6

/* What one row of lines finds. */
typedef struct Row
{
	MfSum		length;			/* of material that is counted wrong */
	MfSum		own;			/* by one instance alone */
	uint32_t	known;			/* lines */
	double		longest;		/* piece of such material */
	double		at[3];			/* its middle */
} Row;

typedef struct Grid
{
	const MfRays *rays;
	uint32_t	side;
	double		cell[2];
	Row		   *row;
	uint8_t    *concerned;		/* of each instance */
} Grid;

/* What an instance has to do with an overlap. */
#define WITH_OTHERS		1
#define WITH_ITSELF		2

/* How deep in each instance a line is. */
typedef struct Depths
{
	uint32_t	count;
	uint32_t	changes;		/* since the instances were last noted */
	int64_t		own;			/* how often they count wrong by themselves */
	uint32_t	instance[MAX_PASSAGES];
	int64_t		depth[MAX_PASSAGES];
	uint16_t	changed[MAX_PASSAGES];
} Depths;

/* A fraction that only the cell's number decides. */
static double
jitter(uint64_t cell)
{
	/*
	 * Steele, Lea and Flood, "Fast splittable pseudorandom number
	 * generators", 2014.
	 */
	uint64_t	z = cell * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return ((double) (z >> 12) + 0.5) / (double) (UINT64_C(1) << 52);
}

/* How often too much, or too little, material of this depth is counted. */
static int64_t
excess_of(int64_t depth)
{
	return depth > 1 ? depth - 1 : depth < 0 ? -depth : 0;
}

/* Takes one more passage of a line. */
static void
pass_surface(Depths *depths, const MfPassage *passage)
{
	uint32_t	i = 0;

	while (i < depths->count && depths->instance[i] != passage->instance)
		i++;
	if (i == depths->count)
	{
		depths->instance[i] = passage->instance;
		depths->depth[i] = 0;
		depths->count++;
	}
	depths->own -= excess_of(depths->depth[i]);
	depths->depth[i] -= passage->winding;
	depths->own += excess_of(depths->depth[i]);
	depths->changed[depths->changes++] = (uint16_t) i;
}

/*
 * Notes which instances make the material here double.  Those that nothing
 * changed for since it was last noted are noted already.
 */
static void
note_instances(const Grid *grid, Depths *depths)
{
	for (uint32_t k = 0; k < depths->changes; k++)
	{
		const uint32_t i = depths->changed[k];
		const uint8_t role = excess_of(depths->depth[i]) > 0 ? WITH_ITSELF :
		WITH_OTHERS;

		if (depths->depth[i] != 0)
			(void) __atomic_fetch_or(&grid->concerned[depths->instance[i]],
									 role, __ATOMIC_RELAXED);
	}
	depths->changes = 0;
}

/* Adds the material of one line that is counted wrong. */
static void
add_line(const Grid *grid, Row *row, double x, double y,
		 const MfPassage *passage, uint32_t count)
{
	const double least = TOUCHING * grid->rays->diagonal;
	int64_t		depth = 0;
	Depths		depths;

	depths.count = 0;
	depths.changes = 0;
	depths.own = 0;
	for (uint32_t i = 0; i + 1 < count; i++)
	{
		const double length = passage[i + 1].z - passage[i].z;

		depth -= passage[i].winding;
		pass_surface(&depths, &passage[i]);
		if (length <= least || excess_of(depth) == 0)
			continue;
		mf_sum_add(&row->length, length * (double) excess_of(depth));
		mf_sum_add(&row->own, length * (double) depths.own);
		note_instances(grid, &depths);
		if (length > row->longest)
		{
			row->longest = length;
			row->at[0] = x;
			row->at[1] = y;
			row->at[2] = passage[i].z + length / 2;
		}
	}
}

/* Sends the lines of one row. */
static void
send_row(void *arg, uint32_t task)
{
	const Grid *grid = arg;
	const MfScene *scene = grid->rays->scene;
	Row		   *row = &grid->row[task];
	uint64_t	left = grid->side * (uint64_t) LOOKS;

	for (uint32_t column = 0; column < grid->side; column++)
	{
		const uint64_t number = (uint64_t) task * grid->side + column;
		const double x = scene->low[0] +
		(column + jitter(2 * number + 1)) * grid->cell[0];
		const double y = scene->low[1] +
		(task + jitter(2 * number + 2)) * grid->cell[1];
		const uint64_t given = left < MF_LOOKS_AT_MOST ? left :
		MF_LOOKS_AT_MOST;
		MfPassage	passage[MAX_PASSAGES];
		uint64_t	looks = given;
		uint32_t	count;
		int64_t		winding = 0;
		bool		good;

		good = mf_space_pass(&grid->rays->space, x, y, passage, MAX_PASSAGES,
							 &count, &looks);
		left -= given - looks;
		for (uint32_t i = 0; good && i < count; i++)
			winding += passage[i].winding;
		if (!good || winding != 0)
			continue;
		row->known++;
		add_line(grid, row, x, y, passage, count);
	}
}

/* Do too many lines of the rows so far have no answer? */
static bool
find_nothing(void *arg, uint32_t done)
{
	const Grid *grid = arg;
	double		unknown = (double) done * grid->side;

	for (uint32_t r = 0; r < done; r++)
		unknown -= grid->row[r].known;
	return unknown > MF_UNKNOWN_SHARE * grid->side * grid->side;
}

/* How many bodies overlap, at least: one that does so itself is one. */
static int64_t
count_bodies(const Grid *grid)
{
	const MfScene *scene = grid->rays->scene;
	int64_t		count = 0;

	for (uint32_t n = 0; n < scene->instance_count; n++)
	{
		const MfPart *part =
		&scene->part[scene->pose[scene->instance[n].pose].part];

		count += grid->concerned[n] != 0;
		count += (grid->concerned[n] & WITH_ITSELF) != 0 &&
			part->shells - part->cavities.count - part->redundant.count > 1;
	}
	return count;
}

/* Books what the rows have found. */
static void
book_overlap(const Grid *grid, MfMeasurement *m)
{
	const double mm = grid->rays->job->unit_in_mm;
	const double lines = (double) grid->side * grid->side;
	MfSum		length = {0};
	MfSum		own = {0};
	Row			best = {0};
	double		known = 0;
	double		column;			/* what a length stands for */

	for (uint32_t r = 0; r < grid->side; r++)
	{
		mf_sum_add(&length, grid->row[r].length.sum + grid->row[r].length.lost);
		mf_sum_add(&own, grid->row[r].own.sum + grid->row[r].own.lost);
		known += grid->row[r].known;
		if (grid->row[r].longest > best.longest)
			best = grid->row[r];
	}
	if (known < (1 - MF_UNKNOWN_SHARE) * lines)
		return;
	column = lines / known * grid->cell[0] * grid->cell[1] * (mm * mm * mm);
	m->overlap_volume_mm3 = (length.sum + length.lost) * column;
	if (!(best.longest > 0))
		return;
	for (int i = 0; i < 3; i++)
		best.at[i] *= mm;
	mf_measurement_add_defect(m, MF_DEFECT_OVERLAPPING_BODIES,
							  (own.sum + own.lost) * column >
							  ERROR_SHARE * m->volume_mm3 ? MF_SEVERITY_ERROR :
							  m->overlap_volume_mm3 >
							  WARNING_SHARE * m->volume_mm3 ?
							  MF_SEVERITY_WARNING : MF_SEVERITY_INFO,
							  count_bodies(grid), best.at,
							  false);
}

/* How many lines a scene gets along each side. */
static uint32_t
choose_side(const MfMeasurement *m)
{
	uint32_t	least = m->bodies > 1 ? MIN_SIDE_BODIES : MIN_SIDE;
	const double wanted = sqrt((double) m->triangles);

	return wanted >= MAX_SIDE ? MAX_SIDE : wanted <= least ? least :
		(uint32_t) wanted;
}

/* Measures what a closed scene counts wrong; false: no memory. */
bool
mf_overlaps_measure(const MfRays *rays, MfMeasurement *m)
{
	MfMemory   *memory = &rays->job->memory;
	const MfScene *scene = rays->scene;
	Grid		grid = {.rays = rays,.side = choose_side(m)};
	bool		good;

	for (int k = 0; k < 2; k++)
		grid.cell[k] = (scene->high[k] - scene->low[k]) / grid.side;
	grid.row = mf_memory_alloc(memory, grid.side * sizeof(*grid.row));
	grid.concerned = mf_memory_alloc(memory, scene->instance_count);
	good = grid.row != NULL && grid.concerned != NULL;
	if (good)
	{
		mf_rays_run(rays, grid.side, send_row, find_nothing, &grid, 75, 90);
		book_overlap(&grid, m);
	}
	mf_memory_free(memory, grid.concerned, scene->instance_count);
	mf_memory_free(memory, grid.row, grid.side * sizeof(*grid.row));
	return good;
}
