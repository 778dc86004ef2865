/*
 * space.h
 *		The scene as lines see it: what they meet, and where.
 *
 * A tree of triangles for each part, in the part's own space, and one of
 * instances above them.  A line goes into a part's space by the inverse of
 * the instance's map and keeps its parameter, so a part that is there a
 * thousand times has one tree.
 */
#ifndef MF_SPACE_H
#define MF_SPACE_H

#include "scene.h"
#include "tree.h"

#define MF_NO_TRIANGLE	UINT32_MAX

typedef struct MfSpace
{
	const MfScene *scene;
	MfTree		top;			/* of instances */
	MfTree	   *tree;			/* of each part; empty where it is nowhere */
	double		(*inverse)[3][3];	/* of each pose */
	bool	   *flat;			/* the pose's map has none: it is left out */
} MfSpace;

/*
 * A line from a point along a direction of length 1.  It meets triangles of
 * either side at least < t < until.
 */
typedef struct MfLine
{
	double		from[3];
	double		along[3];
	double		least;
	double		until;
	uint32_t	skip_instance;	/* the triangle that it starts from */
	uint32_t	skip_triangle;
	uint64_t	looks;			/* at boxes and triangles, that are left */
} MfLine;

typedef struct MfMeeting
{
	uint32_t	instance;
	uint32_t	triangle;		/* MF_NO_TRIANGLE: meets nothing */
	double		at;				/* t */
} MfMeeting;

/* A vertical line's way through a surface. */
typedef struct MfPassage
{
	double		z;
	int32_t		winding;		/* > 0: the surface faces up */
	uint32_t	instance;
} MfPassage;

/*
 * Builds all trees.  False: there is no memory for them, and no space;
 * nothing is refused.
 */
extern bool mf_space_build(MfJob *job, MfSpace *space, const MfScene *scene);
extern void mf_space_free(MfJob *job, MfSpace *space);

/*
 * The first triangle that a line meets.  Lines between two triangles meet
 * one of them at least.  False: its looks did not suffice.
 */
extern bool mf_space_meet(const MfSpace *space, MfLine *line,
						  MfMeeting *meeting);

/*
 * All passages of the vertical line at (x, y), sorted upwards; those through
 * redundant shells left out.  Each edge and vertex belongs to one triangle:
 * the windings of a closed surface add up to 0.  False: there are more than
 * `room`, or its looks did not suffice.
 */
extern bool mf_space_pass(const MfSpace *space, double x, double y,
						  MfPassage *passage, uint32_t room, uint32_t *count,
						  uint64_t *looks);

#endif							/* MF_SPACE_H */
