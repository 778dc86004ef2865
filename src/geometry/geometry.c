/*
 * geometry.c
 *		Measures one file: all steps in order, and what they found.
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "mesh.h"
#include "repair.h"

/*
 * A model with less volume than this part of its area times its diagonal is
 * flat: the finest foil is a thousand times thicker.
 */
#define FLATTEST	1e-9

/* Everything that one measurement allocates. */
typedef struct Work
{
	MfMesh		mesh;
	MfSurface	surface;
	MfSums		sums;
	MfNesting	nesting;
} Work;

static double
now_in_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

/* Everything that is not known until it is measured. */
static void
start_measurement(const MfGeometryOptions *options, MfMeasurement *m)
{
	memset(m, 0, sizeof(*m));
	m->unit = options->unit == MF_UNIT_NONE ? MF_UNIT_MM : options->unit;
	m->unit_from = options->unit == MF_UNIT_NONE ? MF_UNIT_FROM_DEFAULT :
		MF_UNIT_FROM_CALLER;
	m->volume_mm3 = NAN;
	for (int i = 0; i < 3; i++)
		m->centroid[i] = NAN;
	m->min_wall_mm = NAN;
	m->overhang_area_mm2 = NAN;
	m->support_volume_mm3 = NAN;
	m->convex_hull_volume_mm3 = NAN;
}

/* Reads the file into the mesh. */
static bool
read_file(MfJob *job, MfMesh *mesh, MfMeasurement *m)
{
	mf_job_progress(job, MF_STAGE_READING, 0, job->size);
	switch (mf_detect_encoding(job))
	{
		case MF_ENCODING_NONE:
			return false;
		case MF_ENCODING_STL_BINARY:
			m->format = MF_FORMAT_STL;
			return mf_stl_read_binary(job, mesh);
		case MF_ENCODING_STL_ASCII:
			m->format = MF_FORMAT_STL;
			return mf_stl_read_ascii(job, mesh);
		case MF_ENCODING_OBJ:
			m->format = MF_FORMAT_OBJ;
			return mf_obj_read(job, mesh);
	}
	return false;
}

/*
 * Volume and its centroid.  What each shell adds or takes away follows from
 * its role; redundant ones, which lie in material that is there already, do
 * neither, so the volume is that of the true solid.
 */
static void
sum_volume(const MfJob *job, const Work *work, MfMeasurement *m)
{
	const MfMesh *mesh = &work->mesh;
	const double mm = job->unit_in_mm;
	MfSum		volume = {0};
	MfSum		moment[3] = {{0}};
	double		total;

	for (uint32_t s = 0; s < work->nesting.shell_count; s++)
	{
		const MfShell *shell = &work->sums.shell[s];
		const double own = shell->volume.sum + shell->volume.lost;
		const bool	cavity = work->nesting.role[s] == MF_SHELL_CAVITY;
		const double sign = (own < 0) != cavity ? -1 : 1;

		if (!cavity && work->nesting.role[s] != MF_SHELL_BODY)
			continue;
		mf_sum_add(&volume, sign * own);
		for (int i = 0; i < 3; i++)
			mf_sum_add(&moment[i], sign * (shell->moment[i].sum +
										   shell->moment[i].lost));
	}
	total = volume.sum + volume.lost;
	m->volume_mm3 = total / 6 * (mm * mm * mm);
	for (int i = 0; i < 3; i++)
	{
		const double side = mesh->high[i] - mesh->low[i];
		const double off = (moment[i].sum + moment[i].lost) / 4 / total;
		const double at = (mesh->low[i] + side / 2 + off) * mm;

		m->centroid[i] = isfinite(at) ? at : NAN;
	}
}

/* Counts, box, area; and volume where the surface encloses one. */
static void
fill_facts(const MfJob *job, const Work *work, MfMeasurement *m)
{
	const MfSurface *surface = &work->surface;
	const MfTopology *found = &surface->found;
	const double mm = job->unit_in_mm;

	m->triangles = surface->triangles;
	m->vertices = work->mesh.vertex_count;
	m->euler_number = (int64_t) found->used_vertices - (int64_t) found->edges +
		(surface->triangles - (int64_t) found->degenerate);
	m->watertight = found->edges > 0 && found->boundary == 0 &&
		found->non_manifold == 0;
	m->consistent_winding = found->edges > 0 && found->flipped == 0;
	for (int i = 0; i < 3; i++)
	{
		m->bbox_min[i] = work->mesh.low[i] * mm;
		m->bbox_max[i] = work->mesh.high[i] * mm;
	}
	m->area_mm2 = work->sums.area * (mm * mm);
	m->bodies = surface->now.shell_count;
	if (!surface->closed)
		return;
	for (uint32_t s = 0; s < work->nesting.shell_count; s++)
		m->cavities += work->nesting.role[s] == MF_SHELL_CAVITY ||
			work->nesting.role[s] == MF_SHELL_REDUNDANT_CAVITY;
	m->bodies -= m->cavities;
	sum_volume(job, work, m);
}

/* Adds a defect with the middle of an edge, or of a triangle, as its place. */
static void
add_defect(const MfJob *job, const MfMesh *mesh, MfMeasurement *m,
		   MfDefectCode code, MfSeverity severity, int64_t count,
		   const uint32_t *corner, int corners, bool repaired)
{
	double		middle[3] = {0};

	if (count == 0)
		return;
	for (int c = 0; c < corners; c++)
	{
		double		at[3];

		mf_mesh_place(mesh, corner[c], at);
		for (int i = 0; i < 3; i++)
			middle[i] += at[i] / corners;
	}
	for (int i = 0; i < 3; i++)
		middle[i] *= job->unit_in_mm;
	mf_measurement_add_defect(m, code, severity, count,
							  corners > 0 ? middle : NULL, repaired);
}

/* The same for shells of some roles: the first triangle of the first one. */
static void
add_shell_defect(const MfJob *job, const Work *work, MfMeasurement *m,
				 MfDefectCode code, MfSeverity severity, bool repaired,
				 unsigned int roles, bool inverted)
{
	const MfNesting *nesting = &work->nesting;
	uint32_t	first = 0;
	uint32_t	t = 0;
	int64_t		count = 0;

	for (uint32_t s = 0; s < nesting->shell_count; s++)
		if ((roles & 1U << nesting->role[s]) != 0 &&
			(!inverted || nesting->inverted[s]) && count++ == 0)
			first = s;
	if (count == 0)
		return;
	while (work->surface.now.shell[t] != first)
		t++;
	add_defect(job, &work->mesh, m, code, severity, count,
			   work->mesh.corners[t], 3, repaired);
}

/* Defects of edges and triangles. */
static void
list_surface_defects(const MfJob *job, const Work *work, MfMeasurement *m)
{
	const MfMesh *mesh = &work->mesh;
	const MfSurface *s = &work->surface;
	const bool	whole = s->closed;

	add_defect(job, mesh, m, MF_DEFECT_OPEN_EDGES,
			   whole ? MF_SEVERITY_WARNING : MF_SEVERITY_ERROR,
			   s->found.boundary, s->found.boundary_edge, 2, whole);

	/*
	 * A touching edge encloses a volume, but what it means on a machine is
	 * for a person to say; one that the repair has resolved is not.
	 */
	add_defect(job, mesh, m, MF_DEFECT_NON_MANIFOLD_EDGES,
			   whole && s->now.non_manifold == 0 ? MF_SEVERITY_WARNING :
			   MF_SEVERITY_ERROR, s->found.non_manifold,
			   s->found.non_manifold_edge, 2,
			   whole && s->now.non_manifold == 0);
	if (s->found.flipped > 0)
		add_defect(job, mesh, m, MF_DEFECT_FLIPPED_TRIANGLES,
				   whole ? MF_SEVERITY_WARNING : MF_SEVERITY_ERROR,
				   s->turned > 0 ? (int64_t) s->turned :
				   (int64_t) s->found.flipped,
				   s->turned > 0 ? s->turned_first : s->found.flipped_edge,
				   s->turned > 0 ? 3 : 2, whole);
	add_defect(job, mesh, m, MF_DEFECT_DUPLICATE_TRIANGLES,
			   MF_SEVERITY_WARNING, s->duplicates, s->duplicate_first, 3,
			   s->duplicates_dropped);
	add_defect(job, mesh, m, MF_DEFECT_DEGENERATE_TRIANGLES,
			   MF_SEVERITY_INFO, s->found.degenerate, s->degenerate_first, 3,
			   true);
	if (work->sums.zero_area > 0)
		add_defect(job, mesh, m, MF_DEFECT_ZERO_AREA_TRIANGLES,
				   MF_SEVERITY_INFO, work->sums.zero_area + s->dust_lines,
				   mesh->corners[work->sums.zero_area_first], 3, false);
	else
		add_defect(job, mesh, m, MF_DEFECT_ZERO_AREA_TRIANGLES,
				   MF_SEVERITY_INFO, s->dust_lines, s->dust_first, 3, true);
}

/* Defects of shells, of the model as a whole, and of the file. */
static void
list_model_defects(const MfJob *job, const Work *work, MfMeasurement *m)
{
	double		crossed[3];
	double		longest = 0;
	double		diagonal = 0;
	bool		flat = !(m->area_mm2 > 0);

	if (work->surface.closed)
	{
		add_shell_defect(job, work, m, MF_DEFECT_INVERTED_BODY,
						 MF_SEVERITY_WARNING, true, 1U << MF_SHELL_BODY, true);
		add_shell_defect(job, work, m, MF_DEFECT_CLOSED_CAVITIES,
						 MF_SEVERITY_WARNING, false, 1U << MF_SHELL_CAVITY,
						 false);
		if (work->nesting.unknown == 0)
			add_shell_defect(job, work, m, MF_DEFECT_NESTED_BODIES,
							 MF_SEVERITY_ERROR, true,
							 1U << MF_SHELL_REDUNDANT_BODY |
							 1U << MF_SHELL_REDUNDANT_CAVITY, false);
		else
			mf_measurement_add_defect(m, MF_DEFECT_NESTED_BODIES,
									  MF_SEVERITY_ERROR,
									  work->nesting.unknown, NULL, false);
	}
	for (int i = 0; i < 3; i++)
	{
		const double side = m->bbox_max[i] - m->bbox_min[i];

		crossed[i] = job->crossed_at[i] * job->unit_in_mm;
		longest = side > longest ? side : longest;
		diagonal += side * side;
		flat |= side == 0;
	}
	diagonal = sqrt(diagonal);
	flat |= m->volume_mm3 <= FLATTEST * m->area_mm2 * diagonal;
	mf_measurement_add_defect(m, MF_DEFECT_FLAT, MF_SEVERITY_ERROR, flat,
							  NULL, false);
	if (flat)
	{
		/* What rounding has left is nobody's volume. */
		m->volume_mm3 = NAN;
		for (int i = 0; i < 3; i++)
			m->centroid[i] = NAN;
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
}

/* All steps that may be refused. */
static bool
work_through(MfJob *job, Work *work, MfMeasurement *m)
{
	MfSurface  *surface = &work->surface;

	if (!read_file(job, &work->mesh, m) || !mf_mesh_bound(job, &work->mesh))
		return false;
	if (!mf_surface_find(job, &work->mesh, surface))
		return false;
	if (!mf_measure_sums(job, &work->mesh,
						 surface->closed ? surface->now.shell : NULL,
						 surface->now.shell_count, surface->mark,
						 &work->sums))
		return false;
	return !surface->closed ||
		mf_nesting_find(job, &work->mesh, surface->now.shell, surface->mark,
						&work->sums, surface->now.shell_count,
						&work->nesting);
}

/*
 * Measures a file; see geometry.h.  Memory is given back in every case.
 */
bool
mf_geometry_measure(const uint8_t *bytes, size_t size,
					const MfGeometryOptions *options,
					MfMeasurement *m, MfRefusal *refusal)
{
	const double started = now_in_ms();
	MfJob		job = {
		.bytes = bytes,
		.size = size,
		.max_triangles = options->max_triangles > 0 ?
		options->max_triangles : MF_DEFAULT_MAX_TRIANGLES,
		.memory = {.limit = options->memory_limit},
		.refusal = refusal,
		.progress = options->progress,
		.progress_arg = options->progress_arg
	};
	Work		work = {0};
	bool		good;

	if (job.max_triangles > MF_MAX_TRIANGLES_EVER)
		job.max_triangles = MF_MAX_TRIANGLES_EVER;
	memset(refusal, 0, sizeof(*refusal));
	start_measurement(options, m);
	job.unit_in_mm = mf_unit_in_mm(m->unit);
	job.unit_name = mf_unit_name(m->unit);

	good = work_through(&job, &work, m);
	if (good)
	{
		fill_facts(&job, &work, m);
		list_surface_defects(&job, &work, m);
		list_model_defects(&job, &work, m);
		mf_job_progress(&job, MF_STAGE_DONE, 1, 1);
	}
	mf_nesting_free(&job, &work.nesting);
	mf_sums_free(&job, &work.sums);
	mf_surface_free(&job, &work.surface);
	mf_mesh_free(&job, &work.mesh);
	m->measured_in_ms = now_in_ms() - started;
	return good;
}
