/*
 * mesh.c
 *		Room for triangles and vertices, and the box around them.
 */
#include <math.h>

#include "mesh.h"

/*
 * Grows by half at least, so that growing costs little in all; and by little
 * where there is little, because a file may have very many small meshes.
 */
static uint64_t
next_room(uint64_t have, uint64_t wanted)
{
	uint64_t	room = have + have / 2 + 16;

	return room > wanted ? room : wanted;
}

/* Makes room for `room` triangles in all. */
bool
mf_mesh_reserve_triangles(MfJob *job, MfMesh *mesh, uint64_t room)
{
	const uint64_t each = sizeof(*mesh->corners);
	void	   *grown;

	if (room <= mesh->triangle_room)
		return true;
	if (room > MF_MAX_TRIANGLES_EVER)
		return mf_job_too_many(job, room);
	if (mesh->triangle_room > 0)
		room = next_room(mesh->triangle_room, room);
	grown = mf_memory_grow(&job->memory, mesh->corners,
						   mesh->triangle_room * each, room * each);
	if (grown == NULL)
		return mf_job_out_of_memory(job);
	mesh->corners = grown;
	mesh->triangle_room = room;
	return true;
}

/* Makes room for `room` vertices in all. */
bool
mf_mesh_reserve_vertices(MfJob *job, MfMesh *mesh, uint64_t room)
{
	uint64_t	each = sizeof(*mesh->narrow_at);
	void	   *old = mesh->narrow_at;
	void	   *grown;

	if (room <= mesh->vertex_room)
		return true;
	if (mesh->wide)
	{
		each = sizeof(*mesh->wide_at);
		old = mesh->wide_at;
	}
	if (mesh->vertex_room > 0)
		room = next_room(mesh->vertex_room, room);
	if (room > UINT32_MAX - 1)
		room = UINT32_MAX - 1;
	grown = mf_memory_grow(&job->memory, old, mesh->vertex_room * each,
						   room * each);
	if (grown == NULL)
		return mf_job_out_of_memory(job);
	if (mesh->wide)
		mesh->wide_at = grown;
	else
		mesh->narrow_at = grown;
	mesh->vertex_room = room;
	return true;
}

/*
 * Refuses the model because of a vertex, naming the first triangle at it.
 */
static bool
refuse_vertex(MfJob *job, const MfMesh *mesh, uint32_t vertex, bool finite)
{
	uint32_t	t = 0;
	double		at[3];
	double		worst = 0;

	while (t + 1 < mesh->triangle_count && mesh->corners[t][0] != vertex &&
		   mesh->corners[t][1] != vertex && mesh->corners[t][2] != vertex)
		t++;
	if (!finite)
	{
		mf_refuse(job->refusal, MF_ERROR_NON_FINITE,
				  "A corner of triangle %llu has a coordinate that is not a "
				  "finite number.", (unsigned long long) t + 1);
		return false;
	}
	mf_mesh_place(mesh, vertex, at);
	for (int i = 0; i < 3; i++)
		if (fabs(at[i]) > fabs(worst))
			worst = at[i];
	mf_refuse(job->refusal, MF_ERROR_MALFORMED,
			  "A corner of triangle %llu has the coordinate %.3g %s, farther "
			  "out than 10 km; please check the model and its unit.",
			  (unsigned long long) t + 1, worst, job->unit_name);
	return false;
}

/*
 * Finds the bounding box.  Refuses a model with a coordinate that is not
 * finite, or beyond MF_MAX_COORDINATE_MM.
 */
bool
mf_mesh_bound(MfJob *job, MfMesh *mesh)
{
	const double farthest = MF_MAX_COORDINATE_MM / job->unit_in_mm;
	double		low[3] = {INFINITY, INFINITY, INFINITY};
	double		high[3] = {-INFINITY, -INFINITY, -INFINITY};
	bool		good = true;

	for (uint32_t v = 0; v < mesh->vertex_count; v++)
	{
		double		at[3];

		mf_mesh_place(mesh, v, at);
		for (int i = 0; i < 3; i++)
		{
			low[i] = at[i] < low[i] ? at[i] : low[i];
			high[i] = at[i] > high[i] ? at[i] : high[i];
			/* A NaN compares false with everything. */
			good &= fabs(at[i]) <= farthest;
		}
	}

	if (!good)
	{
		/* Not finite is the graver word, wherever in the file it is. */
		for (int pass = 0; pass < 2; pass++)
			for (uint32_t v = 0; v < mesh->vertex_count; v++)
			{
				double		at[3];

				mf_mesh_place(mesh, v, at);
				for (int i = 0; i < 3; i++)
					if (pass == 0 ? !isfinite(at[i]) : fabs(at[i]) > farthest)
						return refuse_vertex(job, mesh, v, pass == 1);
			}
	}
	for (int i = 0; i < 3; i++)
	{
		mesh->low[i] = low[i];
		mesh->high[i] = high[i];
	}
	return true;
}

/* Gives the mesh's memory back. */
void
mf_mesh_free(MfJob *job, MfMesh *mesh)
{
	mf_memory_free(&job->memory, mesh->corners,
				   mesh->triangle_room * (uint64_t) sizeof(*mesh->corners));
	mf_memory_free(&job->memory, mesh->narrow_at,
				   mesh->vertex_room * (uint64_t) sizeof(*mesh->narrow_at));
	mf_memory_free(&job->memory, mesh->wide_at,
				   mesh->vertex_room * (uint64_t) sizeof(*mesh->wide_at));
	mesh->corners = NULL;
	mesh->narrow_at = NULL;
	mesh->wide_at = NULL;
	mesh->triangle_room = 0;
	mesh->vertex_room = 0;
}
