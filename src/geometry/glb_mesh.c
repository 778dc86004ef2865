/*
 * glb_mesh.c
 *		Meshes of a GLB file: all triangles of one mesh are one part.
 *
 * Only the vertices that triangles use are read, so the work is that of the
 * corners, however many vertices the accessors share out.  Corners have a
 * budget in proportion to the file's size: the same bytes can be used by any
 * number of meshes.
 */
#include <string.h>

#include "glb.h"

/* Modes of a primitive. */
#define MODE_TRIANGLES	4
#define MODE_STRIP		5
#define MODE_FAN		6

/* In glb->part: a mesh that has not been read. */
#define NOT_READ		(UINT32_MAX - 1)

typedef struct Primitive
{
	uint64_t	mode;
	bool		indexed;
	MfGlbColumn index;
	MfGlbColumn place;
	uint64_t	corners;
	uint64_t	triangles;		/* at the most */
} Primitive;

/* Refuses a primitive that is packed; false. */
static bool
refuse_packed(MfGlb *glb)
{
	mf_refuse(glb->job->refusal, MF_ERROR_UNSUPPORTED,
			  "The GLB file is packed by KHR_draco_mesh_compression.  Please "
			  "export it without compression.");
	return false;
}

/* Can positions be of this type?  Beside floats: KHR_mesh_quantization. */
static bool
is_place_type(MfGlbType type)
{
	return type == MF_GLB_FLOAT32 || type == MF_GLB_INT8 ||
		type == MF_GLB_UINT8 || type == MF_GLB_INT16 || type == MF_GLB_UINT16;
}

/* Finds the columns that a primitive uses. */
static bool
open_columns(MfGlb *glb, uint32_t json, uint32_t mesh, Primitive *p)
{
	const uint32_t attributes = mf_json_member(&glb->json, json, "attributes");
	const uint32_t extensions = mf_json_member(&glb->json, json, "extensions");
	uint32_t	place;
	uint32_t	index;

	if (!mf_glb_reference(glb, attributes, "POSITION", &glb->accessors,
						  &place) ||
		!mf_glb_reference(glb, json, "indices", &glb->accessors, &index))
		return false;
	if (mf_json_member(&glb->json, extensions,
					   "KHR_draco_mesh_compression") != MF_JSON_NONE &&
		(place == MF_GLB_NONE || glb->accessor[place].view == MF_GLB_NONE))
		return refuse_packed(glb);
	if (place == MF_GLB_NONE)
		return true;
	p->indexed = index != MF_GLB_NONE;
	if (!mf_glb_open(glb, place, 3, &p->place) ||
		(p->indexed && !mf_glb_open(glb, index, 1, &p->index)))
		return false;
	if (!is_place_type(p->place.type))
		return mf_glb_refuse(glb, "accessors", place,
							 "has a type that does not fit its use");
	if (p->indexed && p->index.type != MF_GLB_UINT8 &&
		p->index.type != MF_GLB_UINT16 && p->index.type != MF_GLB_UINT32)
		return mf_glb_refuse(glb, "accessors", index,
							 "has a type that does not fit its use");
	p->corners = p->indexed ? p->index.count : p->place.count;
	if (p->mode == MODE_TRIANGLES && p->corners % 3 != 0)
		return mf_glb_refuse(glb, "meshes", mesh,
							 "has a triangle with fewer than three corners");
	return true;
}

/* Opens a primitive; one without triangles has no corners. */
static bool
open_primitive(MfGlb *glb, uint32_t json, uint32_t mesh, Primitive *p)
{
	memset(p, 0, sizeof(*p));
	if (!mf_glb_integer(glb, json, "mode", MODE_TRIANGLES, &p->mode))
		return false;
	if (p->mode > MODE_FAN)
		return mf_glb_refuse(glb, "meshes", mesh, "has an unknown mode");
	if (p->mode < MODE_TRIANGLES)
		return true;
	if (!open_columns(glb, json, mesh, p))
		return false;
	if (p->corners < 3)
		p->corners = 0;
	else
		p->triangles = p->mode == MODE_TRIANGLES ? p->corners / 3 :
			p->corners - 2;
	return true;
}

/* Makes the scratch map large enough; it is all zero between primitives. */
static bool
reserve_map(MfGlb *glb, uint64_t room)
{
	const uint64_t each = sizeof(*glb->map);

	if (room <= glb->map_room)
		return true;
	mf_memory_free(&glb->job->memory, glb->map, glb->map_room * each);
	glb->map_room = 0;
	glb->map = mf_memory_alloc(&glb->job->memory, room * each);
	if (glb->map == NULL)
		return mf_job_out_of_memory(glb->job);
	glb->map_room = room;
	return true;
}

/* The number of the vertex in its accessor. */
static inline uint64_t
vertex_at(const Primitive *p, uint64_t corner)
{
	return p->indexed ? mf_glb_load_index(&p->index, corner) : corner;
}

/*
 * The part's vertex for a corner of the primitive, added at its first use.
 * There is room.
 */
static inline bool
find_vertex(MfGlb *glb, MfMesh *mesh, const Primitive *p, uint64_t corner,
			uint32_t *vertex)
{
	const uint64_t from = vertex_at(p, corner);
	uint32_t   *known;

	if (from >= p->place.count)
	{
		mf_refuse(glb->job->refusal, MF_ERROR_MALFORMED,
				  "A triangle uses vertex %llu, where there are %llu, counted "
				  "from 0.", (unsigned long long) from,
				  (unsigned long long) p->place.count);
		return false;
	}
	known = &glb->map[from];
	if (*known == 0)
	{
		mf_glb_load_reals(&p->place, from,
						  mesh->wide_at[mesh->vertex_count++]);
		*known = mesh->vertex_count;
	}
	*vertex = *known - 1;
	return true;
}

/* Adds a triangle, given by corners of the primitive. */
static inline bool
add_triangle(MfGlb *glb, MfMesh *mesh, const Primitive *p, uint64_t a,
			 uint64_t b, uint64_t c)
{
	uint32_t   *to = mesh->corners[mesh->triangle_count];

	if (!find_vertex(glb, mesh, p, a, &to[0]) ||
		!find_vertex(glb, mesh, p, b, &to[1]) ||
		!find_vertex(glb, mesh, p, c, &to[2]))
		return false;
	/* Strips and fans turn by a triangle that has a corner twice. */
	mesh->triangle_count += p->mode == MODE_TRIANGLES ||
		!mf_mesh_degenerate(to);
	return true;
}

/* Adds the triangles of a primitive, in the order of section 3.7.2.1. */
static bool
add_primitive(MfGlb *glb, MfMesh *mesh, const Primitive *p)
{
	if (!reserve_map(glb, p->place.count))
		return false;
	for (uint64_t t = 0; t < p->triangles; t++)
	{
		bool		good;

		if (t % MF_PROGRESS_ITEMS == 0)
			mf_job_progress(glb->job, MF_STAGE_READING, t, p->triangles);
		if (p->mode == MODE_TRIANGLES)
			good = add_triangle(glb, mesh, p, 3 * t, 3 * t + 1, 3 * t + 2);
		else if (p->mode == MODE_STRIP)
			good = add_triangle(glb, mesh, p, t, t + 1 + t % 2,
								t + 2 - t % 2);
		else
			good = add_triangle(glb, mesh, p, t + 1, t + 2, 0);
		if (!good)
			return false;
	}
	if (p->place.count <= p->corners)
		memset(glb->map, 0, p->place.count * sizeof(*glb->map));
	else
		for (uint64_t i = 0; i < p->corners; i++)
			glb->map[vertex_at(p, i)] = 0;
	return true;
}

/* Notes what changes the shape elsewhere, and not here. */
static void
note_primitive(MfGlb *glb, uint32_t json, const Primitive *p)
{
	if (p->corners == 0)
		glb->job->left_out++;
	else if (mf_json_items(&glb->json, mf_json_member(&glb->json, json,
													  "targets")) > 0)
		mf_job_note_extension(glb->job, "morph targets", 13);
}

/* Books the corners of a primitive against the budgets. */
static bool
spend(MfGlb *glb, const Primitive *p, uint64_t triangles)
{
	if (triangles > glb->job->max_triangles)
		return mf_job_too_many(glb->job, 0);
	return mf_glb_spend(glb, p->corners);
}

/* Reads a mesh into a new part: first how much there is, then that. */
static bool
read_mesh(MfGlb *glb, uint32_t number, uint32_t *part)
{
	const uint32_t list = mf_json_member(&glb->json, glb->meshes.item[number],
										 "primitives");
	uint64_t	triangles = 0;
	uint64_t	vertices = 0;
	MfPart	   *added;
	MfMesh	   *mesh = NULL;

	for (int pass = 0; pass < 2; pass++)
	{
		uint32_t	json = list + 1;

		for (uint32_t i = 0; i < mf_json_items(&glb->json, list); i++)
		{
			Primitive	p;

			if (!open_primitive(glb, json, number, &p))
				return false;
			if (pass == 0)
			{
				triangles += p.triangles;
				vertices += p.corners < p.place.count ? p.corners :
					p.place.count;
				note_primitive(glb, json, &p);
				if (!spend(glb, &p, triangles))
					return false;
			}
			else if (!add_primitive(glb, mesh, &p))
				return false;
			json = glb->json.value[json].next;
		}
		if (triangles == 0)
			return true;
		if (pass == 1)
			continue;
		added = mf_scene_add_part(glb->job, glb->scene);
		if (added == NULL)
			return false;
		mesh = &added->mesh;
		mesh->wide = true;
		if (!mf_mesh_reserve_triangles(glb->job, mesh, triangles) ||
			!mf_mesh_reserve_vertices(glb->job, mesh, vertices))
			return false;
	}
	*part = glb->scene->part_count - 1;
	return mf_weld_vertices(glb->job, mesh);
}

/* The part of a mesh; see glb.h. */
bool
mf_glb_find_part(MfGlb *glb, uint32_t mesh, uint32_t *part)
{
	const uint64_t bytes = glb->meshes.count * (uint64_t) sizeof(*glb->part);

	if (glb->part == NULL)
	{
		glb->part = mf_memory_alloc(&glb->job->memory, bytes);
		if (glb->part == NULL)
			return mf_job_out_of_memory(glb->job);
		for (uint32_t i = 0; i < glb->meshes.count; i++)
			glb->part[i] = NOT_READ;
	}
	if (glb->part[mesh] == NOT_READ)
	{
		glb->part[mesh] = MF_GLB_NONE;
		if (!read_mesh(glb, mesh, &glb->part[mesh]))
			return false;
	}
	*part = glb->part[mesh];
	return true;
}
