/*
 * shapes.h
 *		Shapes with known volumes, as triangles and as files, for tests.
 */
#ifndef MF_TEST_SHAPES_H
#define MF_TEST_SHAPES_H

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/geometry/geometry.h"

typedef struct Soup
{
	float		(*triangle)[3][3];
	size_t		count;
	size_t		room;
} Soup;

typedef struct Bytes
{
	uint8_t    *at;
	size_t		size;
	size_t		room;
} Bytes;

static inline void *
checked(void *block)
{
	if (block == NULL)
	{
		perror("test");
		exit(99);
	}
	return block;
}

/* ---- triangles ---- */

static inline void
add_triangle(Soup *soup, const double *a, const double *b, const double *c)
{
	const double *corner[3] = {a, b, c};

	if (soup->count == soup->room)
	{
		soup->room = soup->room * 2 + 64;
		soup->triangle = checked(realloc(soup->triangle,
										 soup->room * sizeof(*soup->triangle)));
	}
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3; k++)
			soup->triangle[soup->count][i][k] = (float) corner[i][k];
	soup->count++;
}

static inline void
add_quad(Soup *soup, const double *a, const double *b, const double *c,
		 const double *d)
{
	add_triangle(soup, a, b, c);
	add_triangle(soup, a, c, d);
}

/* A box of 12 triangles, its faces outward or inward. */
static inline void
add_box(Soup *soup, double x0, double y0, double z0, double x1, double y1,
		double z1, bool inward)
{
	static const int face[6][4] = {
		{0, 2, 3, 1}, {4, 5, 7, 6}, {0, 1, 5, 4},
		{2, 6, 7, 3}, {0, 4, 6, 2}, {1, 3, 7, 5}
	};
	double		at[8][3];

	for (int i = 0; i < 8; i++)
	{
		at[i][0] = i & 1 ? x1 : x0;
		at[i][1] = i & 2 ? y1 : y0;
		at[i][2] = i & 4 ? z1 : z0;
	}
	for (int f = 0; f < 6; f++)
	{
		const int  *c = face[f];

		if (inward)
			add_quad(soup, at[c[3]], at[c[2]], at[c[1]], at[c[0]]);
		else
			add_quad(soup, at[c[0]], at[c[1]], at[c[2]], at[c[3]]);
	}
}

/* A tetrahedron with a right corner at x, y, z; volume s^3 / 6. */
static inline void
add_tetrahedron(Soup *soup, double x, double y, double z, double s)
{
	const double o[3] = {x, y, z};
	const double a[3] = {x + s, y, z};
	const double b[3] = {x, y + s, z};
	const double c[3] = {x, y, z + s};

	add_triangle(soup, o, b, a);
	add_triangle(soup, o, a, c);
	add_triangle(soup, o, c, b);
	add_triangle(soup, a, b, c);
}

/*
 * A polygon of `columns` corners, swept along one of `rows` corners around
 * the z axis.  8 * rows * columns of its bytes are shared corners.
 */
static inline void
add_torus(Soup *soup, int rows, int columns, double major, double minor)
{
	for (int r = 0; r < rows; r++)
		for (int c = 0; c < columns; c++)
		{
			double		at[4][3];

			for (int i = 0; i < 4; i++)
			{
				const int	row = (r + (i == 1 || i == 2)) % rows;
				const int	column = (c + (i >= 2)) % columns;
				const double u = 2 * M_PI * row / rows;
				const double v = 2 * M_PI * column / columns;

				at[i][0] = (major + minor * cos(v)) * cos(u);
				at[i][1] = (major + minor * cos(v)) * sin(u);
				at[i][2] = minor * sin(v);
			}
			add_quad(soup, at[0], at[1], at[2], at[3]);
		}
}

/*
 * The volume of that: the n-gon's area, on a path whose chords make it
 * rows * sin(2 pi / rows) * major long.
 */
static inline double
torus_volume(int rows, int columns, double major, double minor)
{
	return rows * sin(2 * M_PI / rows) * major *
		columns / 2.0 * sin(2 * M_PI / columns) * minor * minor;
}

/* A band of n corners: n/2 sin(2 pi/n) (outer^2 - inner^2) height. */
static inline void
add_ring(Soup *soup, int n, double outer, double inner, double height)
{
	for (int i = 0; i < n; i++)
	{
		double		at[2][2][2][3]; /* from, to; outer, inner; low, high */

		for (int e = 0; e < 2; e++)
			for (int s = 0; s < 2; s++)
				for (int z = 0; z < 2; z++)
				{
					const double angle = 2 * M_PI * ((i + e) % n) / n;

					at[e][s][z][0] = (s ? inner : outer) * cos(angle);
					at[e][s][z][1] = (s ? inner : outer) * sin(angle);
					at[e][s][z][2] = z ? height : 0;
				}
		add_quad(soup, at[0][0][0], at[1][0][0], at[1][0][1], at[0][0][1]);
		add_quad(soup, at[1][1][0], at[0][1][0], at[0][1][1], at[1][1][1]);
		add_quad(soup, at[0][0][1], at[1][0][1], at[1][1][1], at[0][1][1]);
		add_quad(soup, at[1][0][0], at[0][0][0], at[0][1][0], at[1][1][0]);
	}
}

/* Moves everything. */
static inline void
move_soup(Soup *soup, double x, double y, double z)
{
	for (size_t t = 0; t < soup->count; t++)
		for (int i = 0; i < 3; i++)
		{
			soup->triangle[t][i][0] += (float) x;
			soup->triangle[t][i][1] += (float) y;
			soup->triangle[t][i][2] += (float) z;
		}
}

/* Turns one triangle over. */
static inline void
turn_triangle(Soup *soup, size_t t)
{
	float		kept[3];

	memcpy(kept, soup->triangle[t][1], sizeof(kept));
	memcpy(soup->triangle[t][1], soup->triangle[t][2], sizeof(kept));
	memcpy(soup->triangle[t][2], kept, sizeof(kept));
}

static inline void
remove_triangle(Soup *soup, size_t t)
{
	soup->count--;
	memmove(soup->triangle + t, soup->triangle + t + 1,
			(soup->count - t) * sizeof(*soup->triangle));
}

static inline void
free_soup(Soup *soup)
{
	free(soup->triangle);
	memset(soup, 0, sizeof(*soup));
}

/* Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
static inline uint64_t
next_random(uint64_t *state)
{
	uint64_t	z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Puts the triangles into another order; each keeps its corners' order. */
static inline void
shuffle_soup(Soup *soup, uint64_t seed)
{
	for (size_t t = soup->count; t-- > 1;)
	{
		const size_t other = next_random(&seed) % (t + 1);
		float		kept[3][3];

		memcpy(kept, soup->triangle[t], sizeof(kept));
		memcpy(soup->triangle[t], soup->triangle[other], sizeof(kept));
		memcpy(soup->triangle[other], kept, sizeof(kept));
	}
}

/* ---- files ---- */

static inline void
add_bytes(Bytes *bytes, const void *from, size_t size)
{
	if (bytes->room - bytes->size < size)
	{
		bytes->room = bytes->room * 2 + size;
		bytes->at = checked(realloc(bytes->at, bytes->room));
	}
	if (size > 0)
		memcpy(bytes->at + bytes->size, from, size);
	bytes->size += size;
}

static inline void
__attribute__((format(printf, 2, 3)))
add_text(Bytes *bytes, const char *format,...)
{
	char		line[512];
	va_list		args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	add_bytes(bytes, line, strlen(line));
}

static inline Bytes
as_binary(const Soup *soup)
{
	const uint32_t count = (uint32_t) soup->count;
	const uint8_t nothing[80] = {0};
	Bytes		bytes = {0};

	add_bytes(&bytes, nothing, 80);
	add_bytes(&bytes, &count, 4);
	for (size_t t = 0; t < soup->count; t++)
	{
		add_bytes(&bytes, nothing, 12);
		add_bytes(&bytes, soup->triangle[t], 36);
		add_bytes(&bytes, nothing, 2);
	}
	return bytes;
}

static inline Bytes
as_ascii(const Soup *soup)
{
	Bytes		bytes = {0};

	add_text(&bytes, "solid test\n");
	for (size_t t = 0; t < soup->count; t++)
	{
		add_text(&bytes, "facet normal 0 0 0\nouter loop\n");
		for (int i = 0; i < 3; i++)
			add_text(&bytes, "vertex %.9g %.9g %.9g\n",
					 soup->triangle[t][i][0], soup->triangle[t][i][1],
					 soup->triangle[t][i][2]);
		add_text(&bytes, "endloop\nendfacet\n");
	}
	add_text(&bytes, "endsolid test\n");
	return bytes;
}

/* OBJ that shares no vertex, and counts backwards. */
static inline Bytes
as_obj(const Soup *soup)
{
	Bytes		bytes = {0};

	add_text(&bytes, "o test\n");
	for (size_t t = 0; t < soup->count; t++)
	{
		for (int i = 0; i < 3; i++)
			add_text(&bytes, "v %.9g %.9g %.9g\n",
					 soup->triangle[t][i][0], soup->triangle[t][i][1],
					 soup->triangle[t][i][2]);
		add_text(&bytes, "f -3 -2 -1\n");
	}
	return bytes;
}

static inline void
free_bytes(Bytes *bytes)
{
	free(bytes->at);
	memset(bytes, 0, sizeof(*bytes));
}

/* ---- measuring ---- */

/* Measures some bytes, in a copy without a byte to spare behind it. */
static inline bool
measure_bytes(const void *from, size_t size, const MfGeometryOptions *options,
			  MfMeasurement *m, MfRefusal *refusal)
{
	MfGeometryOptions usual = {0};
	uint8_t    *copy = checked(malloc(size > 0 ? size : 1));
	bool		good;

	if (size > 0)
		memcpy(copy, from, size);
	good = mf_geometry_measure(copy, size, options != NULL ? options : &usual,
							   m, refusal);
	free(copy);
	return good;
}

static inline bool
measure_soup(const Soup *soup, MfMeasurement *m)
{
	MfRefusal	refusal;
	Bytes		bytes = as_binary(soup);
	const bool	good = measure_bytes(bytes.at, bytes.size, NULL, m, &refusal);

	if (!good)
		printf("# refused: %s\n", refusal.text);
	free_bytes(&bytes);
	return good;
}

static inline bool
near(double value, double wanted, double tolerance)
{
	const double off = fabs(value - wanted);
	const bool	good = off <= tolerance * fabs(wanted) || value == wanted;

	if (!good)
		printf("# %.17g, wanted %.17g\n", value, wanted);
	return good;
}

/* The entry about a defect, or NULL. */
static inline const MfDefect *
find_defect(const MfMeasurement *m, MfDefectCode code)
{
	for (int i = 0; i < m->defect_count; i++)
		if (m->defects[i].code == code)
			return &m->defects[i];
	return NULL;
}

static inline int64_t
defect_count(const MfMeasurement *m, MfDefectCode code)
{
	const MfDefect *defect = find_defect(m, code);

	return defect != NULL ? defect->count : 0;
}

/* Is every number of a measurement one that may be there? */
static inline bool
sane_measurement(const MfMeasurement *m)
{
	bool		good;

	good = m->triangles > 0 && m->vertices > 0 &&
		m->vertices <= 3 * m->triangles && m->bodies >= 0 && m->cavities >= 0 &&
		isfinite(m->area_mm2) && m->area_mm2 >= 0 &&
		isfinite(m->measured_in_ms) && m->defect_count >= 0 &&
		m->defect_count <= MF_MAX_DEFECTS && !isinf(m->volume_mm3) &&
		!(m->volume_mm3 < 0);

	for (int i = 0; i < 3; i++)
		good = good && isfinite(m->bbox_min[i]) && isfinite(m->bbox_max[i]) &&
			m->bbox_min[i] <= m->bbox_max[i] && !isinf(m->centroid[i]);
	for (int i = 0; good && i < m->defect_count; i++)
	{
		const MfDefect *d = &m->defects[i];

		good = d->count > 0 && (unsigned int) d->code <= MF_DEFECT_LAST &&
			isfinite(d->at[0]) && isfinite(d->at[1]) && isfinite(d->at[2]);
	}
	return good;
}

/* Does a refusal have a code and a sentence? */
static inline bool
sane_refusal(const MfRefusal *refusal)
{
	const size_t length = strlen(refusal->text);

	return refusal->code != MF_ERROR_NONE && length > 10 &&
		(refusal->text[length - 1] == '.' || length == MF_MAX_REFUSAL);
}

/* Measures, and checks that the answer makes sense, whatever it is. */
static inline bool
answers_sanely(const void *from, size_t size)
{
	MfMeasurement m;
	MfRefusal	refusal;

	if (measure_bytes(from, size, NULL, &m, &refusal))
		return sane_measurement(&m);
	return sane_refusal(&refusal);
}

#endif							/* MF_TEST_SHAPES_H */
