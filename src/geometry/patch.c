/*
 * patch.c
 *		Polygons over the vertices of a mesh, split as polygon.c does it.
 */
#include <string.h>

#include "mend.h"

/* Before the first polygon of a mesh. */
void
mf_patch_begin(const MfJob *job, MfPatch *patch)
{
	memset(patch, 0, sizeof(*patch));
	mf_polygon_begin(&patch->polygon);
	patch->polygon.looks_left = job->repair_looks;
}

/* Gives the corners' memory back. */
static void
free_corners(MfJob *job, MfPatch *patch)
{
	const uint64_t room = patch->room;

	mf_memory_free(&job->memory, patch->vertex, room * sizeof(*patch->vertex));
	mf_memory_free(&job->memory, patch->at, room * sizeof(*patch->at));
	mf_memory_free(&job->memory, patch->triangle,
				   room * sizeof(*patch->triangle));
	patch->vertex = NULL;
	patch->at = NULL;
	patch->triangle = NULL;
}

/* Makes room for `room` corners; what was there is gone.  False: refused. */
bool
mf_patch_reserve(MfJob *job, MfPatch *patch, uint32_t room)
{
	if (!mf_polygon_reserve(job, &patch->polygon, room))
		return false;
	if (room <= patch->room)
		return true;
	if (room < 2 * patch->room)
		room = 2 * patch->room;
	free_corners(job, patch);
	patch->room = room;
	patch->vertex = mf_memory_alloc(&job->memory,
									room * (uint64_t) sizeof(*patch->vertex));
	patch->at = mf_memory_alloc(&job->memory,
								room * (uint64_t) sizeof(*patch->at));
	patch->triangle = mf_memory_alloc(&job->memory, room *
									  (uint64_t) sizeof(*patch->triangle));
	return (patch->vertex != NULL && patch->at != NULL &&
			patch->triangle != NULL) || mf_job_out_of_memory(job);
}

/*
 * Splits the polygon.  False: some triangles face the wrong way, because it
 * crosses itself.
 */
bool
mf_patch_split(const MfMesh *mesh, MfPatch *patch)
{
	bool		good;

	patch->polygon.count = patch->count;
	for (uint32_t i = 0; i < patch->count; i++)
	{
		patch->polygon.corner[i].vertex = i;
		mf_mesh_place(mesh, patch->vertex[i], patch->at[i]);
	}
	good = mf_polygon_split(&patch->polygon, patch->at, patch->triangle);
	for (uint32_t t = 0; t + 2 < patch->count; t++)
		for (int i = 0; i < 3; i++)
			patch->triangle[t][i] = patch->vertex[patch->triangle[t][i]];
	return good;
}

/* After the last polygon: what the file's budget has lost stays lost. */
void
mf_patch_end(MfJob *job, MfPatch *patch)
{
	if (patch->polygon.looks_left < job->repair_looks)
		job->repair_looks = patch->polygon.looks_left;
	free_corners(job, patch);
	mf_polygon_end(job, &patch->polygon);
	memset(patch, 0, sizeof(*patch));
}
