/*
 * part.c
 *		One part from its mesh to its facts: surface, repair, volume, shells.
 */
#include <math.h>
#include <string.h>

#include "scene.h"

/*
 * Volume, its centre and that of the hollows.  What each shell adds or takes
 * away follows from its role; redundant ones, which lie in material that is
 * there already, do neither, so the volume is that of the true solid.
 */
static void
sum_volume(MfPart *part, const MfSums *sums, const MfNesting *nesting)
{
	const MfMesh *mesh = &part->mesh;
	MfSum		volume = {0};
	MfSum		trapped = {0};
	MfSum		moment[3] = {{0}};
	double		total;

	for (uint32_t s = 0; s < nesting->shell_count; s++)
	{
		const MfShell *shell = &sums->shell[s];
		const double own = shell->volume.sum + shell->volume.lost;
		const bool	cavity = nesting->role[s] == MF_SHELL_CAVITY;
		const double sign = (own < 0) != cavity ? -1 : 1;

		if (!cavity && nesting->role[s] != MF_SHELL_BODY)
			continue;
		mf_sum_add(&volume, sign * own);
		if (cavity)
			mf_sum_add(&trapped, fabs(own));
		for (int i = 0; i < 3; i++)
			mf_sum_add(&moment[i], sign * (shell->moment[i].sum +
										   shell->moment[i].lost));
	}
	total = volume.sum + volume.lost;
	part->volume = total / 6;
	part->trapped = (trapped.sum + trapped.lost) / 6;
	for (int i = 0; i < 3; i++)
	{
		const double side = mesh->high[i] - mesh->low[i];

		part->centre[i] = mesh->low[i] + side / 2 +
			(moment[i].sum + moment[i].lost) / 4 / total;
	}
}

/* Books a shell among those of its kind. */
static void
count_shell(const MfMesh *mesh, MfShellCount *kind, uint32_t first)
{
	if (kind->count++ == 0)
		memcpy(kind->first, mesh->corners[first], sizeof(kind->first));
}

/*
 * What the shells are to the solid, and which of them the file has inside
 * out.
 */
static bool
count_shells(MfJob *job, MfPart *part, const MfNesting *nesting)
{
	const uint64_t bytes = nesting->shell_count * (uint64_t) sizeof(uint32_t);
	const uint32_t *shell = part->surface.now.shell;
	uint32_t   *first = mf_memory_alloc(&job->memory, bytes);

	if (first == NULL)
		return mf_job_out_of_memory(job);
	for (uint32_t t = part->mesh.triangle_count; t-- > 0;)
		if (shell[t] != MF_NO_SHELL)
			first[shell[t]] = t;
	for (uint32_t s = 0; s < nesting->shell_count; s++)
		switch ((MfShellRole) nesting->role[s])
		{
			case MF_SHELL_BODY:
				if (nesting->inverted[s])
					count_shell(&part->mesh, &part->inverted, first[s]);
				break;
			case MF_SHELL_CAVITY:
				part->hollows++;
				count_shell(&part->mesh, &part->cavities, first[s]);
				break;
			case MF_SHELL_REDUNDANT_CAVITY:
				part->hollows++;
				count_shell(&part->mesh, &part->redundant, first[s]);
				break;
			case MF_SHELL_REDUNDANT_BODY:
				count_shell(&part->mesh, &part->redundant, first[s]);
				break;
		}
	part->unknown = nesting->unknown;
	mf_memory_free(&job->memory, first, bytes);
	return true;
}

/* Notes the triangles of redundant shells, for those who count material. */
static bool
note_redundant(MfJob *job, MfPart *part, const MfNesting *nesting)
{
	const uint32_t *shell = part->surface.now.shell;
	const uint64_t room = part->mesh.triangle_count;

	if (part->redundant.count == 0)
		return true;
	part->redundant_triangle = mf_memory_alloc(&job->memory, room);
	if (part->redundant_triangle == NULL)
		return mf_job_out_of_memory(job);
	part->redundant_room = room;
	for (uint32_t t = 0; t < room; t++)
		part->redundant_triangle[t] = shell[t] != MF_NO_SHELL &&
			(nesting->role[shell[t]] == MF_SHELL_REDUNDANT_BODY ||
			 nesting->role[shell[t]] == MF_SHELL_REDUNDANT_CAVITY);
	return true;
}

/*
 * Turns the triangles so that all of them face out of the material, whatever
 * the file said.
 */
static void
face_outward(MfPart *part, const MfSums *sums, const MfNesting *nesting)
{
	const MfSurface *surface = &part->surface;
	const uint32_t *shell = surface->now.shell;

	for (uint32_t t = 0; t < part->mesh.triangle_count; t++)
	{
		uint32_t   *corner = part->mesh.corners[t];
		bool		turn = surface->mark != NULL &&
		(surface->mark[t] & MF_MARK_TURNED) != 0;

		if (shell[t] != MF_NO_SHELL)
		{
			const MfSum *volume = &sums->shell[shell[t]].volume;
			const uint8_t role = nesting->role[shell[t]];

			turn ^= (volume->sum + volume->lost < 0) !=
				(role == MF_SHELL_CAVITY ||
				 role == MF_SHELL_REDUNDANT_CAVITY);
		}
		if (turn)
		{
			const uint32_t second = corner[1];

			corner[1] = corner[2];
			corner[2] = second;
		}
	}
}

/* Has no repair changed a corner, or left out or added a triangle? */
static bool
is_as_read(const MfPart *part)
{
	const MfTopology *found = &part->surface.found;

	return found->boundary == 0 && found->non_manifold == 0 && !found->pairs;
}

/* Does the work, with sums and nesting that the caller frees. */
static bool
work_through(MfJob *job, MfPart *part, MfSums *sums, MfNesting *nesting)
{
	MfSurface  *surface = &part->surface;

	if (!mf_surface_find(job, &part->mesh, surface))
		return false;
	part->closed = surface->closed;
	part->shells = surface->now.shell_count;
	part->volume = NAN;
	for (int i = 0; i < 3; i++)
		part->centre[i] = NAN;
	if (!mf_measure_sums(job, &part->mesh,
						 surface->closed ? surface->now.shell : NULL,
						 surface->now.shell_count, surface->mark,
						 is_as_read(part), sums))
		return false;
	part->area = sums->area;
	part->zero_area = sums->zero_area;
	if (sums->zero_area > 0)
		memcpy(part->zero_area_first,
			   part->mesh.corners[sums->zero_area_first],
			   sizeof(part->zero_area_first));
	if (!part->closed)
		return true;
	if (!mf_nesting_find(job, &part->mesh, surface->now.shell, surface->mark,
						 sums, surface->now.shell_count, nesting) ||
		!count_shells(job, part, nesting) ||
		!note_redundant(job, part, nesting))
		return false;
	sum_volume(part, sums, nesting);
	face_outward(part, sums, nesting);
	return true;
}

/* Measures a part; see scene.h. */
bool
mf_part_measure(MfJob *job, MfPart *part)
{
	MfSums		sums = {0};
	MfNesting	nesting = {0};
	bool		good;

	if (part->measured)
		return true;
	part->measured = true;
	good = work_through(job, part, &sums, &nesting);
	mf_nesting_free(job, &nesting);
	mf_sums_free(job, &sums);
	mf_surface_free(job, &part->surface);
	return good;
}
