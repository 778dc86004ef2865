/*
 * repair.c
 *		Finds the surface's topology, and mends what can be mended without
 *		guessing:
 *
 *		- corners at open edges that meet only nearly are joined (cracks.c);
 *		- of triangles that are there twice, one is left out (duplicates.c);
 *		- shells that are nothing but triangles without area are left out;
 *		- edges with a corner of another triangle on them are split there
 *		  (junctions.c);
 *		- triangles that face the other way than their neighbours are turned
 *		  (orient.c);
 *		- small flat holes are filled (holes.c).
 *
 * A step that leaves the surface no better is taken back.
 *
 * What the file says stays on record; only the volume, the area and the
 * bodies are those after the repair.
 */
#include <string.h>

#include "repair.h"

/* Gets the bytes for marks, or more of them where triangles came in. */
static bool
need_marks(MfJob *job, const MfMesh *mesh, MfSurface *surface)
{
	uint8_t    *mark;

	if (surface->mark != NULL && surface->mark_room >= mesh->triangle_count)
		return true;
	mark = mf_memory_grow(&job->memory, surface->mark, surface->mark_room,
						  mesh->triangle_count);
	if (mark == NULL)
		return mf_job_out_of_memory(job);
	surface->mark = mark;
	surface->mark_room = mesh->triangle_count;
	return true;
}

/* The same, where there are marks already. */
static bool
extend_marks(MfJob *job, const MfMesh *mesh, MfSurface *surface)
{
	return surface->mark == NULL || need_marks(job, mesh, surface);
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

/* Edges that are not those of a sound surface. */
static uint64_t
bad_edges(const MfSurface *surface)
{
	return surface->now.boundary + surface->now.non_manifold;
}

/* The corners of the triangles, to go back to. */
typedef struct Backup
{
	uint32_t	count;
	uint32_t	(*corners)[3];
} Backup;

static bool
make_backup(MfJob *job, const MfMesh *mesh, Backup *backup)
{
	const uint64_t bytes = mesh->triangle_count * (uint64_t) sizeof(*mesh->corners);

	backup->count = mesh->triangle_count;
	backup->corners = mf_memory_alloc(&job->memory, bytes);
	if (backup->corners == NULL)
		return mf_job_out_of_memory(job);
	memcpy(backup->corners, mesh->corners, bytes);
	return true;
}

static void
free_backup(MfJob *job, Backup *backup)
{
	mf_memory_free(&job->memory, backup->corners,
				   backup->count * (uint64_t) sizeof(*backup->corners));
	backup->corners = NULL;
}

/*
 * Matches the edges of a mesh that a step has changed, and takes the change
 * back where that is not for the better; *kept says which.
 */
static bool
match_or_undo(MfJob *job, MfMesh *mesh, MfSurface *surface,
			  const Backup *backup, bool *kept)
{
	const uint64_t bad = bad_edges(surface);

	if (!match_again(job, mesh, surface))
		return false;
	*kept = bad_edges(surface) < bad;
	if (*kept)
		return true;
	memcpy(mesh->corners, backup->corners,
		   backup->count * sizeof(*mesh->corners));
	mesh->triangle_count = backup->count;
	return match_again(job, mesh, surface);
}

/* Joins corners that meet only nearly. */
static bool
close_cracks(MfJob *job, MfMesh *mesh, MfSurface *surface)
{
	Backup		backup = {0};
	bool		kept = true;
	bool		good;

	good = make_backup(job, mesh, &backup) &&
		mf_cracks_close(job, mesh, &surface->edges, &surface->cracks) &&
		(surface->cracks.joined == 0 ||
		 match_or_undo(job, mesh, surface, &backup, &kept));
	if (!kept)
		memset(&surface->cracks, 0, sizeof(surface->cracks));
	free_backup(job, &backup);
	return good;
}

/* Splits edges at corners of others that lie on them. */
static bool
split_edges(MfJob *job, MfMesh *mesh, MfSurface *surface, MfLoops *loops)
{
	Backup		backup = {0};
	bool		kept = true;
	bool		good;

	good = make_backup(job, mesh, &backup) &&
		mf_junctions_split(job, mesh, loops, &surface->junctions);
	if (good && surface->junctions.split > 0)
	{
		good = match_or_undo(job, mesh, surface, &backup, &kept);
		mf_loops_free(job, loops);
		good = good && mf_loops_find(job, mesh, &surface->edges, loops);
	}
	if (!kept)
		memset(&surface->junctions, 0, sizeof(surface->junctions));
	free_backup(job, &backup);
	return good;
}

/* Turns the triangles that face the other way; is the surface closed then? */
static bool
turn_triangles(MfJob *job, const MfMesh *mesh, MfSurface *surface)
{
	MfOrientation found;

	surface->closed = surface->now.shell_count > 0 &&
		surface->now.unbalanced == 0;
	/* Marks of an earlier step may be fewer than there are triangles now. */
	if (surface->now.flipped == 0)
		return surface->mark == NULL || need_marks(job, mesh, surface);
	if (!need_marks(job, mesh, surface))
		return false;
	memset(surface->mark, 0, surface->mark_room);
	if (!mf_orient_triangles(job, mesh, &surface->edges, surface->mark,
							 &found))
		return false;
	if (found.turned > 0)
		keep_corners(mesh, found.first, surface->turned_first);
	surface->turned = found.turned;
	surface->closed = surface->now.shell_count > 0 && found.unbalanced == 0;
	return true;
}

/* Fills holes, if the surface is closed then. */
static bool
fill_holes(MfJob *job, MfMesh *mesh, MfSurface *surface, const MfLoops *loops)
{
	const uint32_t triangles = mesh->triangle_count;

	if (!mf_holes_fill(job, mesh, surface->mark, loops, &surface->holes))
		return false;
	if (!surface->holes.filled)
		return true;
	if (!match_again(job, mesh, surface) ||
		!turn_triangles(job, mesh, surface))
		return false;
	if (surface->closed)
		return true;
	surface->holes.filled = false;
	mesh->triangle_count = triangles;
	return match_again(job, mesh, surface) &&
		turn_triangles(job, mesh, surface);
}

/* Drops triangles that are there twice, or stand alone and have no area. */
static bool
drop_triangles(MfJob *job, MfMesh *mesh, MfSurface *surface)
{
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
	return true;
}

/* Splits edges, turns triangles, fills holes, with loops the caller frees. */
static bool
close_surface(MfJob *job, MfMesh *mesh, MfSurface *surface, MfLoops *loops)
{
	if (surface->now.boundary > 0 &&
		(!mf_loops_find(job, mesh, &surface->edges, loops) ||
		 !split_edges(job, mesh, surface, loops)))
		return false;
	return extend_marks(job, mesh, surface) &&
		turn_triangles(job, mesh, surface) &&
		(surface->now.boundary == 0 ||
		 fill_holes(job, mesh, surface, loops)) &&
		extend_marks(job, mesh, surface);
}

/*
 * Finds the surface of a mesh, and repairs the mesh.  The caller frees the
 * surface in any case.  False: refused.
 */
bool
mf_surface_find(MfJob *job, MfMesh *mesh, MfSurface *surface)
{
	MfLoops		loops = {0};
	bool		good;

	memset(surface, 0, sizeof(*surface));
	surface->triangles = mesh->triangle_count;
	if (!mf_edges_match(job, mesh, &surface->edges, &surface->now))
		return false;
	surface->found = surface->now;
	surface->found.shell = NULL;
	if (surface->found.degenerate > 0)
		keep_corners(mesh, surface->found.degenerate_first,
					 surface->degenerate_first);

	if ((surface->now.boundary > 0 && !close_cracks(job, mesh, surface)) ||
		!drop_triangles(job, mesh, surface))
		return false;
	good = close_surface(job, mesh, surface, &loops);
	/* A body that touches itself is a note that costs a fifth of the time. */
	if (good && !(job->basic && surface->now.shell_count < 2))
		good = mf_touching_find(job, mesh, bad_edges(surface) == 0 &&
								!surface->now.pairs, &surface->touching);
	mf_loops_free(job, &loops);
	mf_edges_free(job, &surface->edges);
	return good;
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
