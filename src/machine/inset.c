/*
 * inset.c
 *		Insets of a cross section of which only area and outline are known.
 *
 * A convex polygon or disc loses P d - k d^2 at distance d, with k = pi for a
 * disc and 4 for a rectangle (Steiner's formula for inner parallel sets of
 * polygons); a ring and other shapes with as many turns one way as the other
 * lose P d.  How round the cross section is tells the ones from the others:
 * at 4 pi A / P^2 = 0.6 and more it is taken as one compact shape.
 */
#include "inset.h"

#include <math.h>
#include <string.h>

/* Rounder than this is compact: a rectangle of 1 to 3 has 0.589. */
#define COMPACT	0.6

/* Area that a rectangle's corners give back per squared distance. */
#define CORNERS	4.0

bool
mf_inset_start(double area, double perimeter, MfInset *inset)
{
	memset(inset, 0, sizeof(*inset));
	if (!(area > 0) || !(perimeter > 0) || !isfinite(area) || !isfinite(perimeter))
		return false;
	inset->outer_area = area;
	inset->roundness = 4 * M_PI * area / (perimeter * perimeter);

	/* Averages over a layer that is partly empty: no less than a disc has. */
	if (inset->roundness > 1)
	{
		inset->roundness = 1;
		perimeter = 2 * sqrt(M_PI * area);
	}
	inset->outer_perimeter = perimeter;
	inset->compact = fmin(1, inset->roundness / COMPACT);
	inset->corners = fmin(CORNERS, M_PI / inset->roundness) * inset->compact;
	inset->area = area;
	inset->perimeter = perimeter;
	return true;
}

void
mf_inset_to(MfInset *inset, double distance)
{
	const double turned = inset->corners * distance;

	inset->area = inset->outer_area - distance * (inset->outer_perimeter - turned);
	inset->perimeter = inset->outer_perimeter - 2 * turned;
	if (inset->perimeter <= 0 || !(inset->area > 0))
	{
		inset->area = 0;
		inset->perimeter = 0;
		return;
	}

	/* No outline is shorter than a disc's. */
	inset->perimeter = fmax(inset->perimeter, 2 * sqrt(M_PI * inset->area));
}

double
mf_inset_loop(const MfInset *inset, double distance)
{
	return fmax(0, inset->outer_perimeter - 2 * inset->corners * distance);
}
