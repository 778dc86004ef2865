/*
 * measurement.h
 *		What a measurement is: the vocabulary shared by the geometry library,
 *		the programs and the server module.
 *
 * A measurement holds the geometric facts of one file read in one unit by
 * one version of the engine.  Everything is plain data with fixed bounds, so
 * that a process which trusts nobody can check a received one field by field.
 *
 * Pure C: no PostgreSQL headers here.
 */
#ifndef MF_MEASUREMENT_H
#define MF_MEASUREMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Raised whenever the same bytes may give other numbers than before.  Stored
 * with each measurement; a program and a module that disagree do not work
 * together.
 */
#define MF_ENGINE_VERSION	2

/* Kinds of defects a measurement can list; one entry each. */
#define MF_MAX_DEFECTS		32

/*
 * A picture is square and has one of these sizes, in pixels, from the
 * smallest to the largest; as a PNG it has at most so many bytes.
 */
#define MF_PICTURE_COUNT	4
#define MF_PICTURE_LEAST	16	/* that may be asked for */
#define MF_PICTURE_LARGEST	512
#define MF_PICTURE_MAX_BYTES	65000
extern const uint32_t mf_picture_sizes[MF_PICTURE_COUNT];

/* Longest explanation of a refusal, in bytes, without the terminating zero. */
#define MF_MAX_REFUSAL		400

/*
 * Why a file was refused.  The names (mf_error_code_name) are the stable
 * error codes of the SQL interface.  The order is part of the wire format.
 */
typedef enum MfErrorCode
{
	MF_ERROR_NONE = 0,
	MF_ERROR_TRUNCATED,
	MF_ERROR_EMPTY,
	MF_ERROR_NOT_A_MODEL,
	MF_ERROR_MALFORMED,
	MF_ERROR_TOO_LARGE,
	MF_ERROR_TOO_MANY_TRIANGLES,
	MF_ERROR_NON_FINITE,
	MF_ERROR_ARCHIVE_BOMB,
	MF_ERROR_TIMEOUT,
	MF_ERROR_OUT_OF_MEMORY,
	MF_ERROR_CRASHED,
	MF_ERROR_UNSUPPORTED,
	MF_ERROR_SANDBOX			/* ours, never a model's: no sandbox here */
} MfErrorCode;
#define MF_ERROR_LAST		MF_ERROR_SANDBOX

typedef enum MfFormat
{
	MF_FORMAT_UNKNOWN = 0,
	MF_FORMAT_STL,
	MF_FORMAT_OBJ,
	MF_FORMAT_PLY,
	MF_FORMAT_3MF,
	MF_FORMAT_GLB
} MfFormat;
#define MF_FORMAT_LAST		MF_FORMAT_GLB

typedef enum MfUnit
{
	MF_UNIT_NONE = 0,			/* not said */
	MF_UNIT_UM,
	MF_UNIT_MM,
	MF_UNIT_CM,
	MF_UNIT_M,
	MF_UNIT_INCH,
	MF_UNIT_FT
} MfUnit;
#define MF_UNIT_LAST		MF_UNIT_FT

/* Where the unit came from. */
typedef enum MfUnitFrom
{
	MF_UNIT_FROM_DEFAULT = 0,
	MF_UNIT_FROM_FILE,
	MF_UNIT_FROM_CALLER
} MfUnitFrom;
#define MF_UNIT_FROM_LAST	MF_UNIT_FROM_CALLER

/* What the engine is doing; shown to people as price_jobs.stage. */
typedef enum MfStage
{
	MF_STAGE_STARTING = 0,
	MF_STAGE_READING,
	MF_STAGE_WELDING,
	MF_STAGE_TOPOLOGY,
	MF_STAGE_MEASURING,
	MF_STAGE_WALLS,				/* and all else that needs rays */
	MF_STAGE_PICTURE,
	MF_STAGE_DONE
} MfStage;
#define MF_STAGE_LAST		MF_STAGE_DONE

typedef enum MfSeverity
{
	MF_SEVERITY_INFO = 0,
	MF_SEVERITY_WARNING,
	MF_SEVERITY_ERROR
} MfSeverity;
#define MF_SEVERITY_LAST	MF_SEVERITY_ERROR

/*
 * Named defects.  Each has a stable name and a sentence for the customer
 * (mf_defect_name, mf_defect_message).  The order is part of the wire format.
 */
typedef enum MfDefectCode
{
	MF_DEFECT_OPEN_EDGES = 0,	/* edges of one triangle only */
	MF_DEFECT_NON_MANIFOLD_EDGES,	/* edges of more than two triangles */
	MF_DEFECT_FLIPPED_TRIANGLES,	/* neighbours wound against each other */
	MF_DEFECT_INVERTED_BODY,	/* a whole body inside out; repaired */
	MF_DEFECT_DEGENERATE_TRIANGLES, /* a corner used twice after the weld */
	MF_DEFECT_ZERO_AREA_TRIANGLES,	/* three corners on a line */
	MF_DEFECT_DUPLICATE_TRIANGLES,	/* the same three corners again */
	MF_DEFECT_NESTED_BODIES,	/* a body inside a body, same orientation */
	MF_DEFECT_CLOSED_CAVITIES,	/* trapped powder or resin */
	MF_DEFECT_TINY,				/* below MF_TINY_MM: wrong unit? */
	MF_DEFECT_HUGE,				/* above MF_HUGE_MM: wrong unit? */
	MF_DEFECT_FLAT,				/* no volume at all */
	MF_DEFECT_TRAILING_BYTES,	/* bytes after the last triangle, ignored */
	MF_DEFECT_CROSSED_POLYGONS, /* split into triangles that overlap */
	MF_DEFECT_CRACKS,			/* corners that nearly meet; repaired */
	MF_DEFECT_T_JUNCTIONS,		/* a corner on another triangle's edge; too */
	MF_DEFECT_HOLES,			/* closed chains of open edges */
	MF_DEFECT_TOUCHING_VERTICES,	/* surfaces that meet in a point only */
	MF_DEFECT_OVERLAPPING_BODIES,	/* material that is there twice */
	MF_DEFECT_SELF_INTERSECTIONS,	/* triangles that pass through others */
	MF_DEFECT_LEFT_OUT,			/* objects of the file that are no model */
	MF_DEFECT_EXTENSIONS		/* parts of the format that are not read */
} MfDefectCode;
#define MF_DEFECT_LAST		MF_DEFECT_EXTENSIONS

/* A model whose longest side is outside of these, in mm, has a wrong unit. */
#define MF_TINY_MM	1.0
#define MF_HUGE_MM	10000.0

typedef struct MfDefect
{
	MfDefectCode code;
	MfSeverity	severity;
	int64_t		count;			/* how many edges, triangles, bodies */
	bool		located;		/* is at[] filled? */
	bool		repaired;		/* the numbers are those after the repair */
	double		at[3];			/* one place, mm, the file's own axes */
} MfDefect;

/* Shares of the walls' area at which the thickness is told; wall_shares. */
#define MF_WALL_SHARES		9
extern const double mf_wall_shares[MF_WALL_SHARES];

/*
 * The model cut into layers of the same height, from its lowest point to its
 * highest: averages over each layer.  None where there is no volume.
 */
#define MF_LAYERS			256
typedef struct MfLayers
{
	int			count;			/* MF_LAYERS or 0 */
	float		area[MF_LAYERS];	/* of the cross section, mm2 */
	float		perimeter[MF_LAYERS];	/* length of its outline, mm */
	float		up[MF_LAYERS];	/* surface that faces up, seen from above,
								 * mm2: a sum over the layer */
	float		down[MF_LAYERS];	/* surface that faces down */
} MfLayers;

/* Longest list of names of extensions, without the terminating zero. */
#define MF_MAX_EXTENSIONS	160

/*
 * The facts.  Lengths in mm, areas in mm2, volumes in mm3.  A fact that is
 * not known, or not meaningful (the volume of an open surface), is NaN; all
 * other numbers are finite.
 */
typedef struct MfMeasurement
{
	MfFormat	format;
	MfUnit		unit;			/* the one used, never MF_UNIT_NONE */
	MfUnitFrom	unit_from;
	int64_t		triangles;		/* after splitting polygons, degenerate ones
								 * included */
	int64_t		vertices;		/* after exact weld */
	int64_t		bodies;			/* edge-connected shells, cavities not counted */
	int64_t		cavities;		/* shells facing inward inside a body */
	int64_t		euler_number;	/* V - E + F of the welded surface, degenerate
								 * triangles dropped */
	bool		watertight;		/* every edge joins exactly two triangles */
	bool		consistent_winding; /* ... in opposite directions */
	double		volume_mm3;		/* absolute, after repair; NaN where open */
	double		area_mm2;
	double		bbox_min[3];
	double		bbox_max[3];
	double		centroid[3];	/* of the volume; NaN where volume is NaN */
	double		trapped_volume_mm3; /* of the cavities */
	double		overlap_volume_mm3; /* counted more than once in the volume */
	int64_t		holes;			/* closed chains of open edges, where cracks
								 * and corners on edges are mended and holes
								 * not */
	double		min_wall_mm;	/* NaN: not measured */
	double		min_wall_at[3];
	int64_t		wall_samples;	/* places where walls were measured; fewer
								 * than triangles: a sample */
	double		wall_mm[MF_WALL_SHARES];	/* thickness that this share of
											 * the area is below */
	double		overhang_area_mm2;	/* faces down, less than 45 degrees off */
	double		support_volume_mm3; /* under it, down to what is below */
	double		convex_hull_volume_mm3;
	double		tight_box_mm[3];	/* sides of the smallest box that stands
									 * on an axis: two turned, then the height */
	MfLayers	layers;
	char		extensions[MF_MAX_EXTENSIONS + 1];	/* of the format, named in
													 * the file, not read */
	double		measured_in_ms; /* wall time spent by the engine */
	int			defect_count;
	MfDefect	defects[MF_MAX_DEFECTS];
} MfMeasurement;

/* A refusal: a stable code and a sentence that a customer may read. */
typedef struct MfRefusal
{
	MfErrorCode code;
	char		text[MF_MAX_REFUSAL + 1];	/* printable ASCII */
} MfRefusal;

/* Stable names; NULL never: an unknown value gives "unknown". */
extern const char *mf_error_code_name(MfErrorCode code);
extern const char *mf_format_name(MfFormat format); /* "stl", ... */
extern const char *mf_unit_name(MfUnit unit);	/* "mm", ..., "" for NONE */
extern const char *mf_unit_from_name(MfUnitFrom from);
extern const char *mf_stage_name(MfStage stage);
extern const char *mf_severity_name(MfSeverity severity);
extern const char *mf_defect_name(MfDefectCode code);
extern const char *mf_defect_message(MfDefectCode code);

/*
 * The sentence about the defect as this model has it: a suspicious size is
 * named, with the units that would make it a usual one.
 */
#define MF_DEFECT_TEXT_MAX	256
extern void mf_measurement_describe_defect(const MfMeasurement *m,
										   const MfDefect *defect,
										   char text[MF_DEFECT_TEXT_MAX]);

/* Millimetres per unit (MF_UNIT_NONE counts as mm). */
extern double mf_unit_in_mm(MfUnit unit);

/* The unit called `name`, MF_UNIT_NONE where there is none of that name. */
extern MfUnit mf_unit_by_name(const char *name);

/* The error code called `name`, MF_ERROR_NONE where there is none. */
extern MfErrorCode mf_error_code_by_name(const char *name);

/*
 * Adds an entry unless the list is full; count 0 adds nothing.  `at` may be
 * NULL, and a place that is not finite counts as none.
 */
extern void mf_measurement_add_defect(MfMeasurement *m, MfDefectCode code,
									  MfSeverity severity, int64_t count,
									  const double *at, bool repaired);

/*
 * Fills a refusal from a printf format.  Printable ASCII only: control
 * characters become spaces, others question marks.  What is too long ends in
 * "...".
 */
extern void mf_refuse(MfRefusal *refusal, MfErrorCode code,
					  const char *format,...)
			__attribute__((format(printf, 3, 4)));

/*
 * Writes the measurement as one JSON object whose keys are the columns of
 * the SQL view mesflow.measurements (without model), plus format, unit and
 * unit_from.  Unknown numbers are null; doubles are printed with the fewest
 * digits that read back as the same double (minus zero as 0).  Returns the length, without the
 * terminating zero, or 0 where `size` (MF_MEASUREMENT_JSON_MAX is enough) is
 * too small.
 */
#define MF_MEASUREMENT_JSON_MAX	65536
extern size_t mf_measurement_to_json(const MfMeasurement *m, char *out,
									 size_t size);

#endif							/* MF_MEASUREMENT_H */
