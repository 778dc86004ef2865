/*
 * repair.c
 *		Finds the surface's topology, and mends what can be mended without
 *		guessing:
 *
 *		- of triangles that are there twice, one is left out;
 *		- shells that are nothing but triangles without area are left out;
 *		- triangles that face the other way than their neighbours are turned.
 *
 * What the file says stays on record; only the volume, the area and the
 * bodies are those after the repair.
 */
#include <string.h>

#include "repair.h"

/* Gets the bytes for marks, once. */
static bool
need_marks(MfJob *job, const MfMesh *mesh, MfSurface *surface)
{
	if (surface->mark != NULL)
		return true;
	surface->mark = mf_memory_alloc(&job->memory, mesh->triangle_count);
	if (surface->mark == NULL)
		return mf_job_out_of_memory(job);
	surface->mark_room = mesh->triangle_count;
	return true;
}

/* Keeps the corners of a triangle. */
static void
keep_corners(const MfMesh *mesh, uint32_t t, uint32_t corner[3])
{
	memcpy(corner, mesh->corners[t], sizeof(mesh->corners[t]));
}

/* Marks the triangles that are there more than once. */
static bool
mark_duplicates(MfJob *job, const MfMesh *mesh, MfSurface *surface)
{
	MfDuplicates found;

	if (!need_marks(job, mesh, surface) ||
		!mf_duplicates_find(job, mesh, surface->mark, &found))
		return false;
	if (found.count > 0)
		keep_corners(mesh, found.first, surface->duplicate_first);
	surface->duplicates = found.count;
	surface->duplicates_dropped = found.dropped > 0;
	return true;
}

/*
 * Marks the shells without any area, unless there are no others.
 */
static bool
mark_dust(MfJob *job, const MfMesh *mesh, MfSurface *surface)
{
	const uint32_t *shell = surface->now.shell;
	const uint64_t bytes = surface->now.shell_count;
	uint8_t    *solid;
	bool		any = false;

	if (surface->now.shell_count < 2)
		return true;
	solid = mf_memory_alloc(&job->memory, bytes);
	if (solid == NULL || !need_marks(job, mesh, surface))
	{
		mf_memory_free(&job->memory, solid, bytes);
		return mf_job_out_of_memory(job);
	}
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
		if (shell[t] != MF_NO_SHELL && !solid[shell[t]] &&
			!mf_triangle_is_line(mesh, t))
		{
			solid[shell[t]] = 1;
			any = true;
		}
	for (uint32_t t = 0; any && t < mesh->triangle_count; t++)
		if (shell[t] != MF_NO_SHELL && !solid[shell[t]])
			surface->mark[t] |= MF_MARK_DROPPED;
	mf_memory_free(&job->memory, solid, bytes);
	return true;
}

/* Takes the marked triangles out of the mesh; true: there were some. */
static bool
drop_marked(MfMesh *mesh, MfSurface *surface)
{
	uint32_t	kept = 0;

	if (surface->mark == NULL)
		return false;
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
	{
		if ((surface->mark[t] & MF_MARK_DROPPED) != 0)
		{
			if (mf_triangle_is_line(mesh, t) && surface->dust_lines++ == 0)
				keep_corners(mesh, t, surface->dust_first);
			continue;
		}
		memmove(mesh->corners[kept++], mesh->corners[t],
				sizeof(mesh->corners[t]));
	}
	memset(surface->mark, 0, surface->mark_room);
	if (kept == mesh->triangle_count)
		return false;
	mesh->triangle_count = kept;
	return true;
}

/* Matches the edges anew. */
static bool
match_again(MfJob *job, const MfMesh *mesh, MfSurface *surface)
{
	mf_edges_free(job, &surface->edges);
	mf_topology_free(job, &surface->now);
	return mf_edges_match(job, mesh, &surface->edges, &surface->now);
}

/* Turns the triangles that face the other way. */
static bool
turn_triangles(MfJob *job, const MfMesh *mesh, MfSurface *surface)
{
	MfOrientation found;

	if (!need_marks(job, mesh, surface) ||
		!mf_orient_triangles(job, mesh, &surface->edges, surface->mark,
							 &found))
		return false;
	if (found.turned > 0)
		keep_corners(mesh, found.first, surface->turned_first);
	surface->turned = found.turned;
	surface->closed = surface->now.shell_count > 0 && found.unbalanced == 0;
	return true;
}

/*
 * Finds the surface of a mesh, and repairs the mesh.  The caller frees the
 * surface in any case.  False: refused.
 */
bool
mf_surface_find(MfJob *job, MfMesh *mesh, MfSurface *surface)
{
	memset(surface, 0, sizeof(*surface));
	surface->triangles = mesh->triangle_count;
	if (!mf_edges_match(job, mesh, &surface->edges, &surface->now))
		return false;
	surface->found = surface->now;
	surface->found.shell = NULL;
	if (surface->found.degenerate > 0)
		keep_corners(mesh, surface->found.degenerate_first,
					 surface->degenerate_first);

	if (surface->now.non_manifold > 0 || surface->now.pairs)
	{
		if (!mark_duplicates(job, mesh, surface))
			return false;
		if (drop_marked(mesh, surface) && !match_again(job, mesh, surface))
			return false;
	}
	if (surface->now.boundary > 0)
	{
		if (!mark_dust(job, mesh, surface))
			return false;
		if (drop_marked(mesh, surface) && !match_again(job, mesh, surface))
			return false;
	}
	surface->closed = surface->now.shell_count > 0 &&
		surface->now.unbalanced == 0;
	if (surface->now.flipped > 0 && !turn_triangles(job, mesh, surface))
		return false;
	mf_edges_free(job, &surface->edges);
	return true;
}

/* Gives the surface's memory back. */
void
mf_surface_free(MfJob *job, MfSurface *surface)
{
	mf_edges_free(job, &surface->edges);
	mf_topology_free(job, &surface->now);
	mf_memory_free(&job->memory, surface->mark, surface->mark_room);
	surface->mark = NULL;
}
