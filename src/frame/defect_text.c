/*
 * defect_text.c
 *		What a defect of one model means, in a sentence for its customer.
 *
 * The sentence says how many there are, what was done about it, and, where
 * something is left to do, what.
 */
#include "measurement.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

/* "<before>1<one>" or "<before>2<many>", then what came of it. */
typedef struct Sentence
{
	const char *before;
	const char *one;
	const char *many;
	const char *repaired;
	const char *left;			/* as it is */
} Sentence;

/* Kinds without an entry have one sentence for all models. */
static const Sentence sentences[MF_DEFECT_LAST + 1] = {
	[MF_DEFECT_OPEN_EDGES] =
	{
		"The surface has ",
		" open edge",
		" open edges",
		"; it was closed there.",
		"; please close it there, because it does not enclose a volume."
	},
	[MF_DEFECT_NON_MANIFOLD_EDGES] =
	{
		"More than two faces meet along ",
		" edge",
		" edges",
		", and those that were there twice were left out.",
		", where inside and outside cannot be told apart; please join "
		"or separate the bodies that touch there."
	},
	[MF_DEFECT_FLIPPED_TRIANGLES] =
	{
		"The surface has ",
		" face",
		" faces",
		" pointing the opposite way to the faces next to it; all were "
		"turned to one side.",
		" pointing the opposite way to the faces next to it; please "
		"check which side is the outside, because turning does not "
		"make all agree."
	},
	[MF_DEFECT_INVERTED_BODY] =
	{
		"The model has ",
		" part that is inside out",
		" parts that are inside out",
		"; all faces were turned to the outside.",
		"."
	},
	[MF_DEFECT_DEGENERATE_TRIANGLES] =
	{
		"The surface has ",
		" face that uses the same corner twice",
		" faces that use the same corner twice",
		"; nothing is covered there, and nothing changes.",
		"."
	},
	[MF_DEFECT_ZERO_AREA_TRIANGLES] =
	{
		"The surface has ",
		" face so thin that it has no area",
		" faces so thin that they have no area",
		"; this changes nothing.",
		"; this changes nothing."
	},
	[MF_DEFECT_DUPLICATE_TRIANGLES] =
	{
		"The file has ",
		" face that is there already",
		" faces that are there already",
		", and what was there twice was left out.",
		", with the other side out: a wall without thickness, or "
		"bodies that touch there."
	},
	[MF_DEFECT_NESTED_BODIES] =
	{
		"The model has ",
		" surface inside its solid parts",
		" surfaces inside its solid parts",
		", counted as solid material there; please say whether a "
		"hollow was meant.",
		", or they may be, and what is hollow there is not known; "
		"please send the bodies one by one."
	},
	[MF_DEFECT_CLOSED_CAVITIES] =
	{
		"The model has ",
		" closed hollow in which powder or resin would stay trapped",
		" closed hollows in which powder or resin would stay trapped",
		".",
		"; a drain hole would let it out."
	},
	[MF_DEFECT_CRACKS] =
	{
		"The surface has ",
		" corner",
		" corners",
		" meeting the neighbours only nearly; the cracks there were "
		"closed.",
		" meeting the neighbours only nearly; please close the cracks "
		"there."
	},
	[MF_DEFECT_T_JUNCTIONS] =
	{
		"The surface has ",
		" corner that lies on the edge of another face",
		" corners that lie on the edges of other faces",
		"; it was split and joined there.",
		"; please split these edges there."
	},
	[MF_DEFECT_HOLES] =
	{
		"The surface has ",
		" hole",
		" holes",
		", small and flat enough to be closed without doubt, which was "
		"done.",
		" that cannot be closed without guessing what belongs there; "
		"please close the surface in the program that it was drawn "
		"with."
	},
	[MF_DEFECT_TOUCHING_VERTICES] =
	{
		"The surface touches itself in ",
		" single point",
		" single points",
		".",
		", where next to nothing holds the sides together."
	}
};

/* Adds to a text that is cut off where there is no more room. */
static void
__attribute__((format(printf, 2, 3)))
append(char text[MF_DEFECT_TEXT_MAX], const char *format,...)
{
	const size_t length = strlen(text);
	va_list		args;

	va_start(args, format);
	vsnprintf(text + length, MF_DEFECT_TEXT_MAX - length, format, args);
	va_end(args);
}

/* Adds a length: three digits say enough, except of what is long. */
static void
append_length(char text[MF_DEFECT_TEXT_MAX], double mm)
{
	append(text, mm < 1000 ? "%.3g mm" : "%.0f mm", mm);
}

/* Adds a volume, in the unit in which it is no long number. */
static void
append_volume(char text[MF_DEFECT_TEXT_MAX], double mm3)
{
	append(text, mm3 < 1000 ? "%.3g mm\302\263" : mm3 < 1e6 ? "%.3g cm\302\263" :
		   "%.0f cm\302\263", mm3 < 1000 ? mm3 : mm3 / 1000);
}

/* The sentence of a kind that has one with a number; false: it has none. */
static bool
tell_count(const MfDefect *defect, char text[MF_DEFECT_TEXT_MAX])
{
	const Sentence *s;

	if ((unsigned int) defect->code > MF_DEFECT_LAST)
		return false;
	s = &sentences[defect->code];
	if (s->one == NULL)
		return false;
	append(text, "%s%" PRId64 "%s%s", s->before, defect->count,
		   defect->count == 1 ? s->one : s->many,
		   defect->repaired ? s->repaired : s->left);
	return true;
}

/*
 * One sentence about a defect of this model; see the header.  Units that make
 * the size a usual one are offered, all but feet, which nobody draws parts
 * in.
 */
void
mf_measurement_describe_defect(const MfMeasurement *m, const MfDefect *defect,
							   char text[MF_DEFECT_TEXT_MAX])
{
	static const struct
	{
		MfUnit		unit;
		const char *name;
	}			offered[] = {
		{MF_UNIT_UM, "micrometres"},
		{MF_UNIT_MM, "millimetres"},
		{MF_UNIT_CM, "centimetres"},
		{MF_UNIT_INCH, "inches"},
		{MF_UNIT_M, "metres"}
	};
	const char *name[lengthof(offered)];
	double		size[lengthof(offered)];
	double		longest = 0;
	int			fits = 0;

	text[0] = '\0';
	if (tell_count(defect, text))
		return;
	if (defect->code == MF_DEFECT_EXTENSIONS && m->extensions[0] != '\0')
	{
		append(text, "The file uses extensions of its format that do not "
			   "count here: %s.", m->extensions);
		return;
	}
	if (defect->code == MF_DEFECT_OVERLAPPING_BODIES &&
		m->overlap_volume_mm3 > 0)
	{
		append(text, "Solid parts overlap, and ");
		append_volume(text, m->overlap_volume_mm3);
		append(text, " that they share is counted more than once.");
		return;
	}
	for (int axis = 0; axis < 3; axis++)
		longest = fmax(longest, m->bbox_max[axis] - m->bbox_min[axis]);
	if ((defect->code != MF_DEFECT_TINY && defect->code != MF_DEFECT_HUGE) ||
		!isfinite(longest))
	{
		append(text, "%s", mf_defect_message(defect->code));
		return;
	}

	for (size_t i = 0; i < lengthof(offered); i++)
	{
		name[fits] = offered[i].name;
		size[fits] = longest / mf_unit_in_mm(m->unit) *
			mf_unit_in_mm(offered[i].unit);
		fits += offered[i].unit != m->unit && size[fits] >= MF_TINY_MM &&
			size[fits] <= MF_HUGE_MM;
	}
	append(text, "The model measures ");
	append_length(text, longest);
	append(text, ", which is very %s%s",
		   defect->code == MF_DEFECT_TINY ? "small" : "large",
		   fits > 0 ? "; was it drawn in " : ", so please check its unit.");
	for (int i = 0; i < fits; i++)
	{
		append(text, "%s (", name[i]);
		append_length(text, size[i]);
		append(text, i + 1 == fits ? ")?" : i + 2 == fits ? ") or " : "), ");
	}
}
