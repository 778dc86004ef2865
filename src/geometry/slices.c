/*
 * slices.c
 *		Cuts triangles at the planes between layers and sums up the pieces.
 *
 * The volume is that of the divergence theorem with the field (x, 0, 0): the
 * sum of nx * x over the surface.  The planes that bound a layer have nx = 0
 * and need not be known, so each triangle counts by itself.
 *
 * At height z a triangle is cut in a segment, whose length is 0 at the lowest
 * corner, grows linearly up to the height of the middle corner, and shrinks
 * to 0 at the highest.  So the share of the triangle below z is a quadratic
 * in z, and that share times the mean x of it a cubic, in two pieces each.
 * A layer gets the difference of the values at its two planes.
 *
 * Where a piece runs through many layers, what they get is a quadratic in
 * the layer's number, and is added in one go: a triangle costs the same
 * however tall it is.
 */
#include <math.h>

#include "slices.h"

/* More whole layers than this in one piece are added in one go. */
#define MANY	6

/* Layers are counted from here in a polynomial: the middle loses least. */
#define ORIGIN	(MF_LAYERS / 2.0)

/* A triangle whose corners are sorted by height. */
typedef struct Slice
{
	double		s[3];			/* heights, in layers */
	double		x[3];
	double		middle;			/* mean x at the height of the middle corner */
	double		lower;			/* share of the area below that height */
	double		inverse[2];		/* of the heights of the two pieces */
	double		weight[MF_SLICE_SUMS];
} Slice;

/* The layer at a height in layers. */
static inline int
layer_at(double s)
{
	if (!(s >= 1))
		return 0;
	return s >= MF_LAYERS - 1 ? MF_LAYERS - 1 : (int) s;
}

/* Gives a layer a share of the triangle, and of the share times its mean x. */
static inline void
add_share(MfSlices *slices, int layer, const Slice *slice, double share,
		  double moment)
{
	double	   *sum = slices->sum[layer];

	sum[MF_SLICE_VOLUME] += slice->weight[MF_SLICE_VOLUME] * moment;
	sum[MF_SLICE_WALL] += slice->weight[MF_SLICE_WALL] * share;
	sum[MF_SLICE_UP] += slice->weight[MF_SLICE_UP] * share;
	sum[MF_SLICE_DOWN] += slice->weight[MF_SLICE_DOWN] * share;
}

/*
 * The share of the triangle below a height between its lowest and its
 * highest corner; returned: that times the mean x below.
 */
static inline double
cut_below(const Slice *slice, double s, double *share)
{
	double		part;
	double		above;

	if (s <= slice->s[1])
	{
		part = (s - slice->s[0]) * slice->inverse[0];
		*share = part * part * slice->lower;
		return *share * (slice->x[0] +
						 part * (slice->middle - slice->x[0]) * (2.0 / 3));
	}
	part = (slice->s[2] - s) * slice->inverse[1];
	above = part * part * (1 - slice->lower);
	*share = 1 - above;
	return (slice->x[0] + slice->x[1] + slice->x[2]) / 3 -
		above * (slice->x[2] +
				 part * (slice->middle - slice->x[2]) * (2.0 / 3));
}

/*
 * Gives the layers from `begin` to before `end` what they get of the piece
 * that starts at corner `tip`, 0 or 2.  With m the middle of a layer, and
 * d = m - s[tip], the share's density is a * d, and the mean x there is
 * x[tip] + b * d: the layer gets a * d of the share, and of share times x
 * a * (d * x[tip] + b * (d^2 + 1 / 12)).
 */
static void
add_run(MfSlices *slices, const Slice *slice, int tip, int begin, int end)
{
	const double inverse = tip == 0 ? slice->inverse[0] : -slice->inverse[1];
	const double from = slice->s[tip] - ORIGIN;
	const double a = 2 / (slice->s[2] - slice->s[0]) * inverse;
	const double x = slice->x[tip];
	const double b = (slice->middle - x) * inverse;
	const double moment[3] = {
		a * (b * (from * from + 1.0 / 12) - from * x),
		a * (x - 2 * b * from),
		a * b
	};
	const double share[2] = {-a * from, a};

	for (int i = 0; i < 3; i++)
	{
		double	   *on = slices->bend[begin][i];
		double	   *off = slices->bend[end][i];

		for (int k = 0; k < MF_SLICE_SUMS; k++)
		{
			const double term = k == MF_SLICE_VOLUME ? moment[i] :
			i < 2 ? share[i] : 0;

			on[k] += slice->weight[k] * term;
			off[k] -= slice->weight[k] * term;
		}
	}
}

/* Cuts a triangle that reaches from one layer into another. */
static void
cut_triangle(MfSlices *slices, const Slice *slice, const int layer[3])
{
	double		share = 0;
	double		moment = 0;
	int			k = layer[0];

	while (k < layer[2])
	{
		const double had = share;
		const double had_moment = moment;
		int			end = 0;

		moment = cut_below(slice, k + 1, &share);
		add_share(slices, k, slice, share - had, moment - had_moment);
		k++;
		if (k < layer[1] && layer[1] - k > MANY)
			end = layer[1];
		else if (k > layer[1] && layer[2] - k > MANY)
			end = layer[2];
		if (end > 0)
		{
			add_run(slices, slice, k < layer[1] ? 0 : 2, k, end);
			moment = cut_below(slice, end, &share);
			k = end;
		}
	}
	add_share(slices, k, slice, 1 - share,
			  (slice->x[0] + slice->x[1] + slice->x[2]) / 3 - moment);
}

/* Sorts the corners by height, and prepares what the cuts need. */
static void
sort_corners(Slice *slice, const double s[3], const double at[3][3],
			 int layer[3])
{
	int			low = s[1] < s[0];
	int			high;
	int			middle;

	low = s[2] < s[low] ? 2 : low;
	high = s[1] > s[0] ? 1 : 0;
	high = s[2] >= s[high] ? 2 : high;
	middle = 3 - low - high;
	slice->s[0] = s[low];
	slice->s[1] = s[middle];
	slice->s[2] = s[high];
	slice->x[0] = at[low][0];
	slice->x[1] = at[middle][0];
	slice->x[2] = at[high][0];
	slice->lower = (slice->s[1] - slice->s[0]) / (slice->s[2] - slice->s[0]);
	slice->inverse[0] = 1 / (slice->s[1] - slice->s[0]);
	slice->inverse[1] = 1 / (slice->s[2] - slice->s[1]);
	slice->middle = (slice->x[0] + slice->x[1] +
					 slice->lower * (slice->x[2] - slice->x[0])) / 2;
	for (int i = 0; i < 3; i++)
		layer[i] = layer_at(slice->s[i]);
}

/* Adds a triangle; see slices.h. */
void
mf_slices_add(MfSlices *slices, const MfSliceGrid *grid,
			  const double at[3][3], double times, bool bounds)
{
	Slice		slice;
	double		u[3];
	double		v[3];
	double		s[3];
	double		normal[3];
	int			layer[3];

	for (int k = 0; k < 3; k++)
	{
		u[k] = at[1][k] - at[0][k];
		v[k] = at[2][k] - at[0][k];
		s[k] = (at[k][2] - grid->low) * grid->per_length;
		layer[k] = layer_at(s[k]);
	}
	normal[0] = (u[1] * v[2] - u[2] * v[1]) * times / 2;
	normal[1] = (u[2] * v[0] - u[0] * v[2]) * times / 2;
	normal[2] = (u[0] * v[1] - u[1] * v[0]) * times / 2;
	slice.weight[MF_SLICE_VOLUME] = bounds ? normal[0] : 0;
	slice.weight[MF_SLICE_WALL] = sqrt(normal[0] * normal[0] +
									   normal[1] * normal[1]);
	slice.weight[MF_SLICE_UP] = normal[2] > 0 ? normal[2] : 0;
	slice.weight[MF_SLICE_DOWN] = normal[2] < 0 ? -normal[2] : 0;

	if (layer[0] == layer[1] && layer[1] == layer[2])
	{
		/* What lies in the plane between two layers bounds the lower one. */
		if (normal[2] > 0 && layer[0] > 0 && s[0] == layer[0] &&
			s[1] == s[0] && s[2] == s[0])
			layer[0]--;
		add_share(slices, layer[0], &slice, 1,
				  (at[0][0] + at[1][0] + at[2][0]) / 3);
		return;
	}
	sort_corners(&slice, s, at, layer);
	cut_triangle(slices, &slice, layer);
}

/* Adds sums; see slices.h. */
void
mf_slices_merge(MfSlices *into, const MfSlices *from)
{
	for (int i = 0; i <= MF_LAYERS; i++)
		for (int k = 0; k < MF_SLICE_SUMS; k++)
		{
			if (i < MF_LAYERS)
				into->sum[i][k] += from->sum[i][k];
			for (int j = 0; j < 3; j++)
				into->bend[i][j][k] += from->bend[i][j][k];
		}
}

/* Works the polynomials in; see slices.h. */
void
mf_slices_finish(MfSlices *slices)
{
	MfSum		now[3][MF_SLICE_SUMS] = {{{0}}};

	for (int i = 0; i < MF_LAYERS; i++)
	{
		const double m = i + 0.5 - ORIGIN;

		for (int k = 0; k < MF_SLICE_SUMS; k++)
		{
			double		value = 0;

			for (int j = 3; j-- > 0;)
			{
				mf_sum_add(&now[j][k], slices->bend[i][j][k]);
				value = value * m + (now[j][k].sum + now[j][k].lost);
			}
			slices->sum[i][k] += value;
		}
	}
}
