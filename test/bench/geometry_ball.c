/*
 * geometry_ball.c
 *		Writes a ball as binary STL, for the benchmark: every vertex is a corner
 *		of its convex hull.
 *
 *		geometry_ball MERIDIANS RINGS > FILE
 *
 * 2 x MERIDIANS x (RINGS - 1) triangles, ring by ring.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RADIUS	20.0			/* mm */

static void
put(const void *bytes, size_t size)
{
	if (fwrite(bytes, 1, size, stdout) != size)
	{
		perror("geometry_ball");
		exit(1);
	}
}

/* A vertex: ring 0 is one pole, ring `rings` the other. */
static void
place(uint32_t m, uint32_t ring, uint32_t meridians, uint32_t rings,
	  float at[3])
{
	const double u = 2 * M_PI * (m % meridians) / meridians;
	const double w = M_PI * ring / rings;
	const double out = ring == 0 || ring == rings ? 0 : sin(w);

	at[0] = RADIUS * out * cos(u);
	at[1] = RADIUS * out * sin(u);
	at[2] = RADIUS * cos(w);
}

int
main(int argc, char **argv)
{
	const uint32_t meridians = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	const uint32_t rings = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	const uint32_t count = 2 * meridians * (rings - 1);
	char		header[80] = "ball";

	if (meridians < 3 || rings < 2 || (uint64_t) meridians * rings > 100000000)
	{
		fprintf(stderr, "usage: geometry_ball MERIDIANS RINGS > FILE\n");
		return 2;
	}
	put(header, sizeof(header));
	put(&count, sizeof(count));
	for (uint32_t r = 0; r < rings; r++)
		for (uint32_t m = 0; m < meridians; m++)
			for (int half = 0; half < 2; half++)
			{
				uint8_t		facet[50] = {0};
				float		at[3][3];

				if (half == 0 ? r == 0 : r + 1 == rings)
					continue;
				place(half == 0 ? m : m + 1, r, meridians, rings, at[0]);
				place(m, r + 1, meridians, rings, at[1]);
				place(m + 1, half == 0 ? r : r + 1, meridians, rings, at[2]);
				memcpy(facet + 12, at, sizeof(at));
				put(facet, sizeof(facet));
			}
	if (fflush(stdout) != 0)
	{
		perror("geometry_ball");
		return 1;
	}
	return 0;
}
