/*
 * geometry_floor.c
 *		The least that a measurement of a binary STL can cost: reads it in
 *		pieces of 1 MB and sums area, tetrahedra and the box, for the benchmark.
 *
 *		geometry_floor FILE
 *
 * It knows nothing of vertices, edges or bodies, so it cannot say whether the
 * sum is a volume.  Prints "TRIANGLES VOLUME AREA" and the box.
 */
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER	84
#define FACET	50
#define NORMAL	12
#define PIECE	((size_t) (1024 * 1024 / FACET * FACET))

typedef struct Sums
{
	uint64_t	count;
	double		volume;			/* times 6 */
	double		area;			/* times 2 */
	double		low[3];
	double		high[3];
} Sums;

/* Adds one facet. */
static inline void
add_facet(Sums *sums, const uint8_t *facet)
{
	float		corner[3][3];
	double		at[3][3];
	double		u[3];
	double		v[3];
	double		n[3];

	memcpy(corner, facet + NORMAL, sizeof(corner));
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3; k++)
		{
			at[i][k] = (double) corner[i][k];
			sums->low[k] = at[i][k] < sums->low[k] ? at[i][k] : sums->low[k];
			sums->high[k] = at[i][k] > sums->high[k] ? at[i][k] :
				sums->high[k];
		}
	for (int k = 0; k < 3; k++)
	{
		u[k] = at[1][k] - at[0][k];
		v[k] = at[2][k] - at[0][k];
	}
	n[0] = u[1] * v[2] - u[2] * v[1];
	n[1] = u[2] * v[0] - u[0] * v[2];
	n[2] = u[0] * v[1] - u[1] * v[0];
	sums->area += sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
	sums->volume += at[0][0] * n[0] + at[0][1] * n[1] + at[0][2] * n[2];
	sums->count++;
}

/* Reads up to `want` bytes; fewer only at the file's end. */
static size_t
read_piece(int fd, uint8_t *piece, size_t want)
{
	size_t		have = 0;
	ssize_t		got;

	while (have < want && (got = read(fd, piece + have, want - have)) > 0)
		have += got;
	return have;
}

int
main(int argc, char **argv)
{
	Sums		sums = {.low = {INFINITY, INFINITY, INFINITY},
	.high = {-INFINITY, -INFINITY, -INFINITY}};
	const int	fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	uint8_t    *piece = malloc(PIECE);
	size_t		have;

	if (fd < 0 || piece == NULL || read_piece(fd, piece, HEADER) != HEADER)
	{
		fprintf(stderr, "usage: geometry_floor FILE, a binary STL\n");
		return 2;
	}
	while ((have = read_piece(fd, piece, PIECE)) >= FACET)
		for (size_t at = 0; at + FACET <= have; at += FACET)
			add_facet(&sums, piece + at);
	printf("%llu %.9g %.9g\n%g %g %g\n%g %g %g\n",
		   (unsigned long long) sums.count, sums.volume / 6, sums.area / 2,
		   sums.low[0], sums.low[1], sums.low[2],
		   sums.high[0], sums.high[1], sums.high[2]);
	free(piece);
	return 0;
}
