/*
 * geometry_torus.c
 *		Writes a torus with a rough surface as binary STL, or as OBJ, for the
 *		benchmark.
 *
 *		geometry_torus ROWS COLUMNS ordered|shuffled|obj > FILE
 *
 * 2 x ROWS x COLUMNS triangles; the same bytes every time.  Corners that
 * belong together are equal to the bit.  Ordered: row by row, as a program
 * would export a grid.  Shuffled: every triangle somewhere else, as no cache
 * likes it.  OBJ is ordered, too, with normals as configurators write them.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAJOR	30.0			/* mm */
#define MINOR	10.0
#define ROUGHNESS	0.02

static uint64_t state = 1;

/* Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t
next_random(void)
{
	uint64_t	z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void
put(const void *bytes, size_t size)
{
	if (fwrite(bytes, 1, size, stdout) != size)
	{
		perror("geometry_torus");
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	const uint32_t rows = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
	const uint32_t columns = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	const uint32_t count = 2 * rows * columns;
	char		header[80] = "rough torus";
	const bool	obj = argc == 4 && strcmp(argv[3], "obj") == 0;
	float		(*at)[3];
	uint32_t   *order;

	if (rows < 3 || columns < 3 || (uint64_t) rows * columns > 100000000 ||
		(strcmp(argv[3], "ordered") != 0 && strcmp(argv[3], "shuffled") != 0 &&
		 strcmp(argv[3], "obj") != 0))
	{
		fprintf(stderr, "usage: geometry_torus ROWS COLUMNS "
				"ordered|shuffled|obj > FILE\n");
		return 2;
	}
	at = malloc(sizeof(*at) * rows * columns);
	order = malloc(sizeof(*order) * count);
	if (at == NULL || order == NULL)
	{
		perror("geometry_torus");
		return 1;
	}

	for (uint32_t r = 0; r < rows; r++)
		for (uint32_t c = 0; c < columns; c++)
		{
			const double u = 2 * M_PI * r / rows;
			const double v = 2 * M_PI * c / columns;
			const double rough = ROUGHNESS * (next_random() >> 40) / 16777216;
			const double minor = MINOR + rough;

			at[r * columns + c][0] = (MAJOR + minor * cos(v)) * cos(u);
			at[r * columns + c][1] = (MAJOR + minor * cos(v)) * sin(u);
			at[r * columns + c][2] = minor * sin(v);
		}
	for (uint32_t t = 0; t < count; t++)
		order[t] = t;
	for (uint32_t t = count - 1; argv[3][0] == 's' && t > 0; t--)
	{
		const uint32_t other = next_random() % (t + 1);
		const uint32_t kept = order[t];

		order[t] = order[other];
		order[other] = kept;
	}

	if (obj)
		for (uint32_t v = 0; v < rows * columns; v++)
		{
			const double u = 2 * M_PI * (v / columns) / rows;
			const double w = 2 * M_PI * (v % columns) / columns;

			printf("v %.6f %.6f %.6f\nvn %.4f %.4f %.4f\n",
				   (double) at[v][0], (double) at[v][1], (double) at[v][2],
				   cos(w) * cos(u), cos(w) * sin(u), sin(w));
		}
	else
	{
		put(header, sizeof(header));
		put(&count, sizeof(count));
	}
	for (uint32_t t = 0; t < count; t++)
	{
		const uint32_t r = order[t] / 2 / columns;
		const uint32_t c = order[t] / 2 % columns;
		const uint32_t r1 = (r + 1) % rows;
		const uint32_t c1 = (c + 1) % columns;
		const uint32_t corner[2][3] = {
			{r * columns + c, r1 * columns + c, r1 * columns + c1},
			{r * columns + c, r1 * columns + c1, r * columns + c1}
		};
		const uint32_t *k = corner[order[t] % 2];
		uint8_t		facet[50] = {0};

		if (obj)
		{
			printf("f %u//%u %u//%u %u//%u\n", k[0] + 1, k[0] + 1, k[1] + 1,
				   k[1] + 1, k[2] + 1, k[2] + 1);
			continue;
		}
		for (int i = 0; i < 3; i++)
			memcpy(facet + 12 + 12 * i, at[k[i]], 12);
		put(facet, sizeof(facet));
	}
	if (fflush(stdout) != 0)
	{
		perror("geometry_torus");
		return 1;
	}
	return 0;
}
