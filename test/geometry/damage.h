/*
 * damage.h
 *		Sound shapes of known volume, and ways to damage them.
 */
#ifndef MF_TEST_DAMAGE_H
#define MF_TEST_DAMAGE_H

#include "shapes.h"
#include "tap.h"

#define TOLERANCE	1e-6

/* A number from -1 to 1. */
static inline double
around_zero(uint64_t *state)
{
	return (double) (next_random(state) >> 11) * (1.0 / (UINT64_C(1) << 52)) - 1;
}

/* Moves each corner on its own. */
static inline void
crack_soup(Soup *soup, double distance, uint64_t seed)
{
	for (size_t t = 0; t < soup->count; t++)
		for (int i = 0; i < 3; i++)
			for (int k = 0; k < 3; k++)
				soup->triangle[t][i][k] += (float) (distance *
													around_zero(&seed));
}

/* Splits one side of every n-th triangle, and nothing beside it. */
static inline int64_t
split_sides(Soup *soup, size_t n, int pieces)
{
	const size_t count = soup->count;
	int64_t		split = 0;

	for (size_t t = 0; t < count; t += n)
	{
		float		corner[3][3];

		memcpy(corner, soup->triangle[t], sizeof(corner));
		for (int p = 0; p < pieces; p++)
		{
			double		at[3][3];

			for (int k = 0; k < 3; k++)
			{
				at[0][k] = corner[0][k] + ((double) corner[1][k] -
										   corner[0][k]) * p / pieces;
				at[1][k] = corner[0][k] + ((double) corner[1][k] -
										   corner[0][k]) * (p + 1) / pieces;
				at[2][k] = corner[2][k];
			}
			add_triangle(soup, at[0], at[1], at[2]);
		}
		memcpy(soup->triangle[t], soup->triangle[--soup->count],
			   sizeof(corner));
		split += pieces - 1;
	}
	return split;
}

/* Takes every n-th triangle away, from the first-th on. */
static inline int64_t
drop_triangles(Soup *soup, size_t first, size_t n)
{
	size_t		kept = 0;
	int64_t		dropped = 0;

	for (size_t t = 0; t < soup->count; t++)
	{
		if (t >= first && (t - first) % n == 0)
			dropped++;
		else
			memmove(soup->triangle[kept++], soup->triangle[t],
					sizeof(*soup->triangle));
	}
	soup->count = kept;
	return dropped;
}

/* A face of n by n squares, where a box of the given side has its lid. */
static inline void
add_face(Soup *soup, int n, double side, double z, int skip_from,
		 int skip_to)
{
	for (int x = 0; x < n; x++)
		for (int y = 0; y < n; y++)
		{
			const double x0 = side * x / n;
			const double x1 = side * (x + 1) / n;
			const double y0 = side * y / n;
			const double y1 = side * (y + 1) / n;
			const double a[3] = {x0, y0, z};
			const double b[3] = {x1, y0, z};
			const double c[3] = {x1, y1, z};
			const double d[3] = {x0, y1, z};

			if (x >= skip_from && x < skip_to && y >= skip_from && y < skip_to)
				continue;
			add_quad(soup, a, b, c, d);
		}
}

/* A box without its lid. */
static inline void
add_open_box(Soup *soup, double x, double y, double z)
{
	add_box(soup, 0, 0, 0, x, y, z, false);
	remove_triangle(soup, soup->count - 9);
	remove_triangle(soup, soup->count - 9);
}

static inline void
add_sphere(Soup *soup, int rows, int columns, double radius)
{
	for (int r = 0; r < rows; r++)
		for (int c = 0; c < columns; c++)
		{
			double		at[4][3];

			for (int i = 0; i < 4; i++)
			{
				const int	row = r + (i >= 2);
				const double u = 2 * M_PI * ((c + (i == 1 || i == 2)) %
											 columns) / columns;
				const double v = M_PI * row / rows;
				const double ring = row == 0 || row == rows ? 0 :
				radius * sin(v);

				at[i][0] = ring * cos(u);
				at[i][1] = ring * sin(u);
				at[i][2] = -radius * cos(v);
			}
			if (r > 0)
				add_triangle(soup, at[0], at[1], at[2]);
			if (r + 1 < rows)
				add_triangle(soup, at[0], at[2], at[3]);
		}
}

/* What there is of a kind, and whether it is mended. */
static inline bool
has(const MfMeasurement *m, MfDefectCode code, int64_t count, bool repaired)
{
	const MfDefect *d = find_defect(m, code);

	if (d == NULL ? count == 0 : d->count == count && d->repaired == repaired &&
		d->located)
		return true;
	printf("# %s: %lld, wanted %lld\n", mf_defect_name(code),
		   d == NULL ? 0LL : (long long) d->count, (long long) count);
	return false;
}

static inline bool
is_error(const MfMeasurement *m, MfDefectCode code)
{
	const MfDefect *d = find_defect(m, code);

	return d != NULL && d->severity == MF_SEVERITY_ERROR && !d->repaired;
}

/* Is this what a person has to look at, because it is open? */
static inline bool
stays_open(const MfMeasurement *m)
{
	return isnan(m->volume_mm3) && is_error(m, MF_DEFECT_OPEN_EDGES) &&
		!m->watertight;
}

typedef struct Sound
{
	const char *name;
	Soup		soup;
	double		volume;
} Sound;

static inline int
make_sound(Sound sound[4])
{
	MfMeasurement m;

	memset(sound, 0, 4 * sizeof(*sound));
	sound[0].name = "box";
	add_box(&sound[0].soup, -5, -10, -15, 5, 10, 15, false);
	sound[0].volume = 6000;
	sound[1].name = "torus";
	add_torus(&sound[1].soup, 40, 30, 30, 10);
	sound[1].volume = torus_volume(40, 30, 30, 10);
	sound[2].name = "ring";
	add_ring(&sound[2].soup, 48, 20, 12, 7);
	sound[2].volume = 24 * sin(2 * M_PI / 48) * (400 - 144) * 7;
	sound[3].name = "sphere";
	add_sphere(&sound[3].soup, 24, 36, 25);
	measure_soup(&sound[3].soup, &m);
	sound[3].volume = m.volume_mm3;
	return 4;
}

static inline void
free_sound(Sound sound[4])
{
	for (int i = 0; i < 4; i++)
		free_soup(&sound[i].soup);
}

static inline Soup
copy_soup(const Soup *soup)
{
	Soup		copy = {0};

	copy.triangle = checked(malloc(soup->count * sizeof(*soup->triangle)));
	memcpy(copy.triangle, soup->triangle,
		   soup->count * sizeof(*soup->triangle));
	copy.count = copy.room = soup->count;
	return copy;
}

#endif							/* MF_TEST_DAMAGE_H */
