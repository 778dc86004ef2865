/*
 * scene.h
 *		What a file holds: parts, and how often, where and how they stand.
 *
 * A part is one mesh.  A pose is a part with one linear map (turned, scaled,
 * mirrored); an instance is a pose put somewhere.  A part is welded, matched
 * and summed once, a pose once more where a number depends on how it is
 * turned, and an instance only adds to counts and boxes: nothing is
 * flattened, so a file of a hundred thousand bolts costs what one bolt costs.
 *
 * All lengths are in the scene's unit, MfJob.unit_in_mm.
 */
#ifndef MF_SCENE_H
#define MF_SCENE_H

#include "mesh.h"
#include "repair.h"

/* More places than this are refused. */
#define MF_MAX_INSTANCES	100000

/* What some shells of a part have in common. */
typedef struct MfShellCount
{
	uint32_t	count;
	uint32_t	first[3];		/* corners of a triangle of the first one */
} MfShellCount;

typedef struct MfPart
{
	MfMesh		mesh;			/* welded by its reader; after mf_part_measure
								 * repaired, and every triangle faces out of
								 * the material */
	bool		measured;

	/* What mf_part_measure finds. */
	MfSurface	surface;		/* its arrays are given back */
	bool		closed;			/* encloses a volume, after the repair */
	double		area;
	uint64_t	zero_area;
	uint32_t	zero_area_first[3];
	double		volume;			/* NaN: open */
	double		centre[3];		/* of mass */
	double		trapped;		/* volume of cavities */
	uint32_t	shells;			/* cavities included */
	MfShellCount inverted;
	MfShellCount cavities;
	uint32_t	hollows;		/* cavities, the redundant ones included */
	MfShellCount redundant;
	uint8_t    *redundant_triangle; /* is it in such a shell?  NULL: none is */
	uint64_t	redundant_room;
	uint32_t	unknown;		/* shells whose nesting is not known */
} MfPart;

typedef struct MfPose
{
	uint32_t	part;
	uint32_t	count;			/* instances */
	double		linear[3][3];	/* out[i] = sum of linear[i][k] * in[k] */
	double		factor;			/* of volumes: |determinant| */
	bool		identity;
	bool		mirrored;		/* determinant < 0: triangles face inward */
	bool		similar;		/* keeps shapes: areas grow by scale^2 */
	double		scale;			/* of lengths, where similar */
	double		low[3];			/* box of the pose, before any shift */
	double		high[3];
} MfPose;

typedef struct MfInstance
{
	uint32_t	pose;
	double		shift[3];
} MfInstance;

/* As a reader says it: part, linear map and shift. */
typedef struct MfPlacement
{
	uint32_t	part;
	double		linear[3][3];
	double		shift[3];
} MfPlacement;

typedef struct MfScene
{
	MfUnit		unit;			/* as the file says, or MF_UNIT_NONE */
	MfPart	   *part;
	uint32_t	part_count;
	uint32_t	part_room;
	MfPlacement *placement;		/* until mf_scene_settle */
	uint32_t	placement_count;
	uint32_t	placement_room;
	MfPose	   *pose;			/* from then on, those of used parts */
	uint32_t	pose_count;
	MfInstance *instance;
	uint32_t	instance_count;
	double		low[3];			/* box of all */
	double		high[3];
} MfScene;

/*
 * A new, empty part; NULL: refused.  Moves the others: no pointer to a part
 * survives it.
 */
extern MfPart *mf_scene_add_part(MfJob *job, MfScene *scene);

/*
 * Puts a part somewhere; without a map (NULL) as it is.  False: refused, for
 * too many instances or numbers that are not finite.
 */
extern bool mf_scene_place(MfJob *job, MfScene *scene, uint32_t part,
						   const double (*linear)[3], const double *shift);

/*
 * Reads the job's bytes into an empty scene, by what they are.  False:
 * refused.
 */
extern bool mf_scene_read(MfJob *job, MfScene *scene, MfFormat *format);

/*
 * Groups the placements into poses and finds the boxes.  Refuses a scene
 * without triangles, with coordinates that are too far out or not finite, and
 * one whose poses have more triangles than are allowed.
 */
extern bool mf_scene_settle(MfJob *job, MfScene *scene);

/* Welds, repairs and sums up a part, once; part.c. */
extern bool mf_part_measure(MfJob *job, MfPart *part);

extern void mf_scene_free(MfJob *job, MfScene *scene);

/* Where a point of a part is in a pose, before any shift. */
static inline void
mf_pose_point(const MfPose *pose, const double in[3], double out[3])
{
	for (int i = 0; i < 3; i++)
		out[i] = pose->linear[i][0] * in[0] + pose->linear[i][1] * in[1] +
			pose->linear[i][2] * in[2];
}

/*
 * The corners of a triangle of a pose, before any shift, in the order in
 * which it faces out of the material.
 */
static inline void
mf_pose_triangle(const MfScene *scene, const MfPose *pose, uint32_t t,
				 double at[3][3])
{
	double		own[3][3];

	mf_mesh_triangle(&scene->part[pose->part].mesh, t, own);
	for (int i = 0; i < 3; i++)
	{
		const int	to = pose->mirrored && i > 0 ? 3 - i : i;

		if (pose->identity)
			for (int k = 0; k < 3; k++)
				at[to][k] = own[i][k];
		else
			mf_pose_point(pose, own[i], at[to]);
	}
}

#endif							/* MF_SCENE_H */
