/*
 * measurement.c
 *		Names, sentences and units of measurements.
 *
 * The names are stable: they are stored, sent to partners and documented.
 * A value outside its enum, which only a broken program could send, is
 * called "unknown" rather than trusted as an index.
 */
#include "measurement.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

#define UNKNOWN		"unknown"

static const char *const error_code_names[] = {
	[MF_ERROR_NONE] = "none",
	[MF_ERROR_TRUNCATED] = "truncated",
	[MF_ERROR_EMPTY] = "empty",
	[MF_ERROR_NOT_A_MODEL] = "not_a_model",
	[MF_ERROR_MALFORMED] = "malformed",
	[MF_ERROR_TOO_LARGE] = "too_large",
	[MF_ERROR_TOO_MANY_TRIANGLES] = "too_many_triangles",
	[MF_ERROR_NON_FINITE] = "non_finite",
	[MF_ERROR_ARCHIVE_BOMB] = "archive_bomb",
	[MF_ERROR_TIMEOUT] = "timeout",
	[MF_ERROR_OUT_OF_MEMORY] = "out_of_memory",
	[MF_ERROR_CRASHED] = "crashed",
	[MF_ERROR_UNSUPPORTED] = "unsupported",
	[MF_ERROR_SANDBOX] = "sandbox"
};

static const char *const format_names[] = {
	[MF_FORMAT_UNKNOWN] = UNKNOWN,
	[MF_FORMAT_STL] = "stl",
	[MF_FORMAT_OBJ] = "obj",
	[MF_FORMAT_PLY] = "ply",
	[MF_FORMAT_3MF] = "3mf",
	[MF_FORMAT_GLB] = "glb"
};

typedef struct UnitRow
{
	const char *name;
	double		in_mm;
} UnitRow;

static const UnitRow units[] = {
	[MF_UNIT_NONE] =
	{
		"", 1.0
	},
	[MF_UNIT_UM] =
	{
		"um", 0.001
	},
	[MF_UNIT_MM] =
	{
		"mm", 1.0
	},
	[MF_UNIT_CM] =
	{
		"cm", 10.0
	},
	[MF_UNIT_M] =
	{
		"m", 1000.0
	},
	[MF_UNIT_INCH] =
	{
		"inch", 25.4
	},
	[MF_UNIT_FT] =
	{
		"ft", 304.8
	}
};

static const char *const unit_from_names[] = {
	[MF_UNIT_FROM_DEFAULT] = "default",
	[MF_UNIT_FROM_FILE] = "file",
	[MF_UNIT_FROM_CALLER] = "caller"
};

static const char *const stage_names[] = {
	[MF_STAGE_STARTING] = "starting",
	[MF_STAGE_READING] = "reading",
	[MF_STAGE_WELDING] = "welding",
	[MF_STAGE_TOPOLOGY] = "topology",
	[MF_STAGE_MEASURING] = "measuring",
	[MF_STAGE_WALLS] = "walls",
	[MF_STAGE_PICTURE] = "picture",
	[MF_STAGE_DONE] = "done"
};

static const char *const severity_names[] = {
	[MF_SEVERITY_INFO] = "info",
	[MF_SEVERITY_WARNING] = "warning",
	[MF_SEVERITY_ERROR] = "error"
};

/* Sentences are for the customer who drew the model, not for a programmer. */
typedef struct DefectRow
{
	const char *name;
	const char *message;
} DefectRow;

static const DefectRow defects[] = {
	[MF_DEFECT_OPEN_EDGES] =
	{
		"open_edges",
		"The surface has open edges, so it does not enclose a volume."
	},
	[MF_DEFECT_NON_MANIFOLD_EDGES] =
	{
		"non_manifold_edges",
		"More than two faces meet along one edge, so inside and outside cannot be told apart there."
	},
	[MF_DEFECT_FLIPPED_TRIANGLES] =
	{
		"flipped_triangles",
		"Some faces point the opposite way to the faces next to them."
	},
	[MF_DEFECT_INVERTED_BODY] =
	{
		"inverted_body",
		"A whole part of the model is inside out."
	},
	[MF_DEFECT_DEGENERATE_TRIANGLES] =
	{
		"degenerate_triangles",
		"Some faces use the same corner twice and cover nothing."
	},
	[MF_DEFECT_ZERO_AREA_TRIANGLES] =
	{
		"zero_area_triangles",
		"Some faces are so thin that they have no area."
	},
	[MF_DEFECT_DUPLICATE_TRIANGLES] =
	{
		"duplicate_triangles",
		"Some faces are in the file more than once."
	},
	[MF_DEFECT_NESTED_BODIES] =
	{
		"nested_bodies",
		"One solid part lies inside another, so their shared space is counted twice."
	},
	[MF_DEFECT_CLOSED_CAVITIES] =
	{
		"closed_cavities",
		"The model has a closed hollow in which powder or resin would stay trapped."
	},
	[MF_DEFECT_TINY] =
	{
		"tiny",
		"The model is smaller than 1 mm, so please check its unit."
	},
	[MF_DEFECT_HUGE] =
	{
		"huge",
		"The model is larger than 10 m, so please check its unit."
	},
	[MF_DEFECT_FLAT] =
	{
		"flat",
		"The model is flat and has no volume."
	},
	[MF_DEFECT_TRAILING_BYTES] =
	{
		"trailing_bytes",
		"The file goes on after the end of the model, and what follows was ignored."
	},
	[MF_DEFECT_CROSSED_POLYGONS] =
	{
		"crossed_polygons",
		"Some faces are polygons that cross themselves, so the area may come out too large."
	},
	[MF_DEFECT_CRACKS] =
	{
		"cracks",
		"Some corners meet only nearly, and leave cracks between them."
	},
	[MF_DEFECT_T_JUNCTIONS] =
	{
		"t_junctions",
		"Some corners lie on the edges of other faces."
	},
	[MF_DEFECT_HOLES] =
	{
		"holes",
		"The surface has holes."
	},
	[MF_DEFECT_TOUCHING_VERTICES] =
	{
		"touching_vertices",
		"Some surfaces touch in a single point."
	},
	[MF_DEFECT_OVERLAPPING_BODIES] =
	{
		"overlapping_bodies",
		"Solid parts overlap, so their shared space is counted more than once."
	},
	[MF_DEFECT_SELF_INTERSECTIONS] =
	{
		"self_intersections",
		"The surface passes through itself."
	},
	[MF_DEFECT_LEFT_OUT] =
	{
		"left_out",
		"The file holds objects that are not part of the model, such as supports; they were left out."
	},
	[MF_DEFECT_EXTENSIONS] =
	{
		"extensions",
		"The file uses extensions of its format that do not count here."
	}
};

const uint32_t mf_picture_sizes[MF_PICTURE_COUNT] = {64, 128, 256, 512};

const double mf_wall_shares[MF_WALL_SHARES] = {
	0, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 1
};

_Static_assert(lengthof(error_code_names) == MF_ERROR_LAST + 1, "a name each");
_Static_assert(lengthof(format_names) == MF_FORMAT_LAST + 1, "a name each");
_Static_assert(lengthof(units) == MF_UNIT_LAST + 1, "a name each");
_Static_assert(lengthof(unit_from_names) == MF_UNIT_FROM_LAST + 1, "a name each");
_Static_assert(lengthof(stage_names) == MF_STAGE_LAST + 1, "a name each");
_Static_assert(lengthof(severity_names) == MF_SEVERITY_LAST + 1, "a name each");
_Static_assert(lengthof(defects) == MF_DEFECT_LAST + 1, "a name each");

/* Stable name of an error code. */
const char *
mf_error_code_name(MfErrorCode code)
{
	return (unsigned int) code > MF_ERROR_LAST ? UNKNOWN :
		error_code_names[code];
}

/* Name of a format, as in file extensions. */
const char *
mf_format_name(MfFormat format)
{
	return (unsigned int) format > MF_FORMAT_LAST ? UNKNOWN :
		format_names[format];
}

/* Name of a unit; the empty string for MF_UNIT_NONE. */
const char *
mf_unit_name(MfUnit unit)
{
	return (unsigned int) unit > MF_UNIT_LAST ? UNKNOWN : units[unit].name;
}

/* Who said which unit it is: "default", "file" or "caller". */
const char *
mf_unit_from_name(MfUnitFrom from)
{
	return (unsigned int) from > MF_UNIT_FROM_LAST ? UNKNOWN :
		unit_from_names[from];
}

/* Name of a stage of the work. */
const char *
mf_stage_name(MfStage stage)
{
	return (unsigned int) stage > MF_STAGE_LAST ? UNKNOWN : stage_names[stage];
}

/* "info", "warning" or "error". */
const char *
mf_severity_name(MfSeverity severity)
{
	return (unsigned int) severity > MF_SEVERITY_LAST ? UNKNOWN :
		severity_names[severity];
}

/* Stable name of a kind of defect. */
const char *
mf_defect_name(MfDefectCode code)
{
	return (unsigned int) code > MF_DEFECT_LAST ? UNKNOWN : defects[code].name;
}

/* One sentence about a kind of defect, for the customer. */
const char *
mf_defect_message(MfDefectCode code)
{
	return (unsigned int) code > MF_DEFECT_LAST ?
		"The model has a defect of an unknown kind." : defects[code].message;
}

/* Millimetres per unit; 1 for MF_UNIT_NONE and for what is no unit. */
double
mf_unit_in_mm(MfUnit unit)
{
	return (unsigned int) unit > MF_UNIT_LAST ? 1.0 : units[unit].in_mm;
}

/* The unit of that exact name, else (also for NULL and "") MF_UNIT_NONE. */
MfUnit
mf_unit_by_name(const char *name)
{
	for (int unit = MF_UNIT_NONE + 1; name != NULL && unit <= MF_UNIT_LAST;
		 unit++)
		if (strcmp(units[unit].name, name) == 0)
			return (MfUnit) unit;
	return MF_UNIT_NONE;
}

/* The error code of that exact name, else MF_ERROR_NONE. */
MfErrorCode
mf_error_code_by_name(const char *name)
{
	for (int code = MF_ERROR_NONE + 1; name != NULL && code <= MF_ERROR_LAST;
		 code++)
		if (strcmp(error_code_names[code], name) == 0)
			return (MfErrorCode) code;
	return MF_ERROR_NONE;
}

/*
 * Adds an entry to the list of defects.  `at`, in mm, may be NULL.  Nothing
 * is added where the count is not positive or the list is full; a place with
 * a non-finite coordinate counts as no place.
 */
void
mf_measurement_add_defect(MfMeasurement *m, MfDefectCode code,
						  MfSeverity severity, int64_t count,
						  const double *at, bool repaired)
{
	MfDefect   *defect;

	if (count <= 0 || m->defect_count < 0 ||
		m->defect_count >= MF_MAX_DEFECTS)
		return;
	defect = &m->defects[m->defect_count++];
	memset(defect, 0, sizeof(*defect));
	defect->code = code;
	defect->severity = severity;
	defect->count = count;
	defect->repaired = repaired;
	if (at != NULL && isfinite(at[0]) && isfinite(at[1]) && isfinite(at[2]))
	{
		defect->located = true;
		memcpy(defect->at, at, sizeof(defect->at));
	}
}

/*
 * Fills a refusal.  The text may quote a stranger's file, and it ends in
 * logs, JSON and e-mail: control characters become spaces, and each
 * character outside ASCII becomes one question mark.  A text that is too
 * long ends in "...".
 */
void
mf_refuse(MfRefusal *refusal, MfErrorCode code, const char *format,...)
{
	char		raw[MF_MAX_REFUSAL + 1];
	bool		in_character = false;
	size_t		length = 0;
	int			wanted;
	va_list		args;

	memset(refusal, 0, sizeof(*refusal));
	refusal->code = code;

	va_start(args, format);
	wanted = vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	if (wanted < 0)
	{
		/* The name says less than a sentence, but more than nothing. */
		snprintf(raw, sizeof(raw), "%s", mf_error_code_name(code));
		wanted = 0;
	}

	for (const char *p = raw; *p != '\0'; p++)
	{
		unsigned char byte = (unsigned char) *p;

		if (byte < 0x20 || byte == 0x7f)
			refusal->text[length++] = ' ';
		else if (byte < 0x7f)
			refusal->text[length++] = *p;
		else if (byte >= 0xc0 || !in_character)
			refusal->text[length++] = '?';
		in_character = byte >= 0x80;
	}

	if (wanted > MF_MAX_REFUSAL)
	{
		if (length > MF_MAX_REFUSAL - 3)
			length = MF_MAX_REFUSAL - 3;
		memcpy(refusal->text + length, "...", 4);
	}
}
