/*
 * inset.h
 *		A cross section known by its area and outline only, made smaller by a
 *		distance all around.
 */
#ifndef MF_INSET_H
#define MF_INSET_H

#include <stdbool.h>

typedef struct MfInset
{
	double		outer_area;		/* as it was, mm2 */
	double		outer_perimeter;	/* mm */
	double		roundness;		/* 4 pi A / P^2: 1 of a disc, at most */
	double		compact;		/* 1: one compact shape; 0: anything else */
	double		corners;		/* what the outline turns: see inset.c */
	double		area;			/* as it is now; 0: nothing is left */
	double		perimeter;
} MfInset;

/* Begins with a cross section; false where there is none. */
extern bool mf_inset_start(double area, double perimeter, MfInset *inset);

/* What is left at this distance from the outline. */
extern void mf_inset_to(MfInset *inset, double distance);

/* Length of a loop along the outline, at this distance inside of it. */
extern double mf_inset_loop(const MfInset *inset, double distance);

#endif							/* MF_INSET_H */
