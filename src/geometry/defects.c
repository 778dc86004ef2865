/*
 * defects.c
 *		What is wrong with a model: named, counted, located.
 *
 * Each kind of defect is one entry, however many parts have it; its place is
 * that of the first part that does, where that part stands first.
 */
#include <math.h>
#include <string.h>

#include "whole.h"

/* One kind of defect, over all parts. */
typedef struct Kind
{
	MfDefectCode code;
	MfSeverity	severity;
	int64_t		count;
	bool		repaired;
	double		at[3];			/* NaN: not known */
} Kind;

typedef struct Kinds
{
	const MfJob *job;
	const MfScene *scene;
	const MfPart *part;
	const MfPose *pose;			/* the part's first instance */
	const double *shift;
	int64_t		times;			/* instances of the part */
	Kind		kind[MF_DEFECT_LAST + 1];
} Kinds;

/* Books a defect of a part at a point of it, or without a place (NULL). */
static void
book_at(Kinds *kinds, MfDefectCode code, MfSeverity severity, int64_t count,
		const double *point, bool repaired)
{
	Kind	   *kind = &kinds->kind[code];
	double		at[3] = {0};

	if (count == 0)
		return;
	if (kind->count == 0)
	{
		if (point != NULL)
			mf_pose_point(kinds->pose, point, at);
		for (int i = 0; i < 3; i++)
			kind->at[i] = point == NULL ? NAN :
				(at[i] + kinds->shift[i]) * kinds->job->unit_in_mm;
		kind->repaired = repaired;
	}
	kind->count += count * kinds->times;
	kind->severity = severity > kind->severity ? severity : kind->severity;
	kind->repaired &= repaired;
}

/*
 * Books a defect of a part with a vertex, the middle of an edge, or that of a
 * triangle, as its place.
 */
static void
book(Kinds *kinds, MfDefectCode code, MfSeverity severity, int64_t count,
	 const uint32_t *corner, int corners, bool repaired)
{
	double		middle[3] = {0};

	for (int c = 0; count > 0 && c < corners; c++)
	{
		double		at[3];

		mf_mesh_place(&kinds->part->mesh, corner[c], at);
		for (int i = 0; i < 3; i++)
			middle[i] += at[i] / corners;
	}
	book_at(kinds, code, severity, count, corners > 0 ? middle : NULL,
			repaired);
}

/*
 * Books what is open.  Cracks that were closed are a note: nobody sees a
 * millionth of the model, and its numbers are what was meant.
 */
static void
book_open(Kinds *kinds)
{
	const MfPart *part = kinds->part;
	const MfSurface *s = &part->surface;
	const bool	only_cracks = s->junctions.split == 0 &&
	s->holes.count == 0 && s->dust_lines == 0;

	book(kinds, MF_DEFECT_OPEN_EDGES,
		 !part->closed ? MF_SEVERITY_ERROR :
		 only_cracks ? MF_SEVERITY_INFO : MF_SEVERITY_WARNING,
		 s->found.boundary, s->found.boundary_edge, 2, part->closed);
	book(kinds, MF_DEFECT_CRACKS, MF_SEVERITY_INFO, s->cracks.joined,
		 &s->cracks.first, 1, true);
	book(kinds, MF_DEFECT_T_JUNCTIONS, MF_SEVERITY_WARNING,
		 s->junctions.split, &s->junctions.first, 1, true);
	book_at(kinds, MF_DEFECT_HOLES, s->holes.filled ? MF_SEVERITY_WARNING :
			MF_SEVERITY_ERROR, s->holes.count, s->holes.at,
			s->holes.filled);
	book(kinds, MF_DEFECT_TOUCHING_VERTICES, MF_SEVERITY_INFO,
		 s->touching.count, &s->touching.first, 1, false);
}

/* Books what is wrong with a part's edges and triangles. */
static void
book_surface(Kinds *kinds)
{
	const MfPart *part = kinds->part;
	const MfSurface *s = &part->surface;
	const MfTopology *edges = s->found.non_manifold > 0 ? &s->found : &s->now;
	const bool	whole = part->closed;

	book_open(kinds);

	/*
	 * A touching edge encloses a volume, but what it means on a machine is
	 * for a person to say; one that the repair has resolved is not.
	 */
	book(kinds, MF_DEFECT_NON_MANIFOLD_EDGES,
		 whole && s->now.non_manifold == 0 ? MF_SEVERITY_WARNING :
		 MF_SEVERITY_ERROR, edges->non_manifold,
		 edges->non_manifold_edge, 2, whole && s->now.non_manifold == 0);
	if (s->found.flipped > 0 || s->turned > 0)
		book(kinds, MF_DEFECT_FLIPPED_TRIANGLES,
			 whole ? MF_SEVERITY_WARNING : MF_SEVERITY_ERROR,
			 s->turned > 0 ? (int64_t) s->turned : (int64_t) s->found.flipped,
			 s->turned > 0 ? s->turned_first : s->found.flipped_edge,
			 s->turned > 0 ? 3 : 2, whole);
	book(kinds, MF_DEFECT_DUPLICATE_TRIANGLES, MF_SEVERITY_WARNING,
		 s->duplicates, s->duplicate_first, 3, s->duplicates_dropped);
	book(kinds, MF_DEFECT_DEGENERATE_TRIANGLES, MF_SEVERITY_INFO,
		 s->found.degenerate, s->degenerate_first, 3, true);
	if (part->zero_area > 0)
		book(kinds, MF_DEFECT_ZERO_AREA_TRIANGLES, MF_SEVERITY_INFO,
			 part->zero_area + s->dust_lines, part->zero_area_first, 3, false);
	else
		book(kinds, MF_DEFECT_ZERO_AREA_TRIANGLES, MF_SEVERITY_INFO,
			 s->dust_lines, s->dust_first, 3, true);
}

/* Books what is special about a part's shells. */
static void
book_shells(Kinds *kinds)
{
	const MfPart *part = kinds->part;

	book(kinds, MF_DEFECT_INVERTED_BODY, MF_SEVERITY_WARNING,
		 part->inverted.count, part->inverted.first, 3, true);
	book(kinds, MF_DEFECT_CLOSED_CAVITIES, MF_SEVERITY_WARNING,
		 part->cavities.count, part->cavities.first, 3, false);
	if (part->unknown == 0)
		book(kinds, MF_DEFECT_NESTED_BODIES, MF_SEVERITY_ERROR,
			 part->redundant.count, part->redundant.first, 3, true);
	else
		book(kinds, MF_DEFECT_NESTED_BODIES, MF_SEVERITY_ERROR,
			 part->unknown, NULL, 0, false);
}

/* Adds what concerns the model as a whole, and the file. */
static void
list_whole(const MfJob *job, MfMeasurement *m)
{
	double		crossed[3];
	double		longest = 0;

	for (int i = 0; i < 3; i++)
	{
		longest = fmax(longest, m->bbox_max[i] - m->bbox_min[i]);
		crossed[i] = job->crossed_at[i] * job->unit_in_mm;
	}
	mf_measurement_add_defect(m, MF_DEFECT_TINY, MF_SEVERITY_ERROR,
							  longest < MF_TINY_MM, NULL, false);
	mf_measurement_add_defect(m, MF_DEFECT_HUGE, MF_SEVERITY_ERROR,
							  longest > MF_HUGE_MM, NULL, false);
	mf_measurement_add_defect(m, MF_DEFECT_TRAILING_BYTES, MF_SEVERITY_INFO,
							  (int64_t) job->trailing_bytes, NULL, false);
	mf_measurement_add_defect(m, MF_DEFECT_CROSSED_POLYGONS,
							  MF_SEVERITY_WARNING,
							  (int64_t) job->crossed_polygons, crossed, false);
	mf_measurement_add_defect(m, MF_DEFECT_LEFT_OUT, MF_SEVERITY_INFO,
							  (int64_t) job->left_out, NULL, false);
	mf_measurement_add_defect(m, MF_DEFECT_EXTENSIONS, MF_SEVERITY_INFO,
							  (int64_t) job->extension_count, NULL, false);
	memcpy(m->extensions, job->extensions, sizeof(m->extensions));
}

/* Books the defects of all parts, each at its first instance. */
static void
book_parts(Kinds *kinds)
{
	const MfScene *scene = kinds->scene;
	uint32_t	p = 0;

	/* Poses are in the order of their parts. */
	while (p < scene->pose_count)
	{
		const uint32_t first = p;
		uint32_t	n = 0;

		kinds->part = &scene->part[scene->pose[p].part];
		kinds->times = 0;
		for (; p < scene->pose_count &&
			 scene->pose[p].part == scene->pose[first].part; p++)
			kinds->times += scene->pose[p].count;
		while (scene->instance[n].pose < first || scene->instance[n].pose >= p)
			n++;
		kinds->pose = &scene->pose[scene->instance[n].pose];
		kinds->shift = scene->instance[n].shift;
		book_surface(kinds);
		if (kinds->part->closed)
			book_shells(kinds);
	}
}

/* Lists the defects; see whole.h. */
void
mf_defects_list(const MfJob *job, const MfScene *scene, MfMeasurement *m)
{
	Kinds		kinds = {.job = job,.scene = scene};

	book_parts(&kinds);
	for (int code = 0; code <= MF_DEFECT_LAST; code++)
	{
		const Kind *kind = &kinds.kind[code];

		mf_measurement_add_defect(m, (MfDefectCode) code, kind->severity,
								  kind->count, kind->at, kind->repaired);
	}
	list_whole(job, m);
}
