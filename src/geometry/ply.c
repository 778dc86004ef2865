/*
 * ply.c
 *		PLY: vertices, and faces or strips over their numbers.
 *
 * The header is read by ply_header.c, rows by ply_ascii.c and ply_binary.c.
 * Elements come in any order; those that are not about the shape are passed
 * by, and so are faces before the vertices, to be read afterwards.
 */
#include <string.h>

#include "ply.h"
#include "text.h"

/* Refuses a row that is not there; see ply.h. */
bool
mf_ply_refuse_end(MfPly *ply, const MfPlyElement *element, uint64_t row)
{
	mf_refuse(ply->job->refusal, MF_ERROR_TRUNCATED,
			  "The file ends too early: its header announces %llu of the "
			  "element \"%.*s\", but only %llu are there.",
			  (unsigned long long) element->count,
			  mf_text_shown(element->name_length), element->name,
			  (unsigned long long) row);
	return false;
}

/* Refuses a face for the number of its corners; see ply.h. */
bool
mf_ply_refuse_count(MfPly *ply, uint64_t count, uint64_t row)
{
	if (count < 3)
		mf_refuse(ply->job->refusal, MF_ERROR_MALFORMED,
				  "Face %llu has %llu corners instead of three or more.",
				  (unsigned long long) row, (unsigned long long) count);
	else
		mf_refuse(ply->job->refusal, MF_ERROR_UNSUPPORTED,
				  "Face %llu has more than %d corners.  Please export the "
				  "model with triangles.", (unsigned long long) row,
				  MF_MAX_POLYGON_CORNERS);
	return false;
}

/* Refuses the number of a vertex; see ply.h. */
bool
mf_ply_refuse_corner(MfPly *ply, int64_t corner, uint64_t row)
{
	mf_refuse(ply->job->refusal, MF_ERROR_MALFORMED,
			  "Face %llu uses vertex %lld, where there are %llu, counted from "
			  "0.", (unsigned long long) row, (long long) corner,
			  (unsigned long long) ply->vertices);
	return false;
}

/* Adds a corner of a strip; see ply.h. */
bool
mf_ply_add_strip_corner(MfPly *ply, int64_t corner, uint64_t row)
{
	MfMesh	   *mesh = ply->mesh;
	uint32_t	last;

	if (corner == -1)
	{
		ply->strip_length = 0;
		return true;
	}
	if ((uint64_t) corner >= ply->vertices)
		return mf_ply_refuse_corner(ply, corner, row);
	last = (uint32_t) corner;

	/* A strip turns a corner by a triangle that has one twice. */
	if (ply->strip_length >= 2 && ply->strip[0] != ply->strip[1] &&
		ply->strip[1] != last && last != ply->strip[0])
	{
		const bool	odd = ply->strip_length % 2 == 1;
		const uint64_t after = mesh->triangle_count + UINT64_C(1);
		uint32_t   *to;

		if (after > ply->job->max_triangles)
			return mf_job_too_many(ply->job, 0);
		if (after > mesh->triangle_room &&
			!mf_mesh_reserve_triangles(ply->job, mesh, after))
			return false;
		to = mesh->corners[mesh->triangle_count++];
		to[0] = ply->strip[odd];
		to[1] = ply->strip[!odd];
		to[2] = last;
	}
	ply->strip[0] = ply->strip[1];
	ply->strip[1] = last;
	ply->strip_length++;
	return true;
}

/* The element of this kind; NULL: none. */
static MfPlyElement *
find_element(MfPly *ply, MfPlyKind kind)
{
	for (uint32_t i = 0; i < ply->element_count; i++)
		if (ply->element[i].kind == kind)
			return &ply->element[i];
	return NULL;
}

/*
 * Could so many rows be in what is left of the file?  In text the last one
 * needs no separator.
 */
static bool
check_rows(MfPly *ply, const MfPlyElement *element)
{
	const uint64_t left = (uint64_t) (ply->end - ply->at) +
	(ply->encoding == MF_PLY_ASCII);

	if (element->least_bytes == 0 ||
		element->count <= left / element->least_bytes)
		return true;
	mf_refuse(ply->job->refusal, MF_ERROR_TRUNCATED,
			  "The file ends too early: its header announces %llu of the "
			  "element \"%.*s\", and there are bytes for %llu at the most.",
			  (unsigned long long) element->count,
			  mf_text_shown(element->name_length), element->name,
			  (unsigned long long) (left / element->least_bytes));
	return false;
}

/* Refuses a file without a surface; makes room for one that may have it. */
static bool
prepare(MfPly *ply)
{
	const MfPlyElement *vertices = find_element(ply, MF_PLY_VERTICES);
	const MfPlyElement *faces = find_element(ply, MF_PLY_FACES);
	const MfPlyElement *strips = find_element(ply, MF_PLY_STRIPS);
	const uint64_t surfaces = (faces != NULL ? faces->count : 0) +
	(strips != NULL ? strips->count : 0);

	for (uint32_t i = 0; i < ply->element_count; i++)
		if (!check_rows(ply, &ply->element[i]))
			return false;
	ply->vertices = vertices != NULL ? vertices->count : 0;
	if (surfaces == 0)
	{
		mf_refuse(ply->job->refusal, MF_ERROR_EMPTY,
				  ply->vertices > 0 ?
				  "The file contains points without faces (a point cloud), "
				  "which enclose nothing." :
				  "The file contains no triangles.");
		return false;
	}
	if (faces != NULL && faces->count > ply->job->max_triangles)
		return mf_job_too_many(ply->job, faces->count);
	if (ply->vertices > UINT32_MAX - 1)
		return mf_job_too_many(ply->job, 0);
	ply->mesh->wide = true;
	if (!mf_mesh_reserve_vertices(ply->job, ply->mesh, ply->vertices) ||
		!mf_mesh_reserve_triangles(ply->job, ply->mesh, surfaces))
		return false;
	ply->mesh->vertex_count = (uint32_t) ply->vertices;
	return true;
}

/* Reads an element, or passes it by. */
static bool
read_element(MfPly *ply, const MfPlyElement *element, bool pass_by)
{
	/* The elements before it may have left too little. */
	if (!check_rows(ply, element))
		return false;
	if (ply->encoding == MF_PLY_ASCII)
		return mf_ply_read_ascii(ply, element, pass_by);
	return mf_ply_read_binary(ply, element, pass_by);
}

/* Bytes behind the last row; white space says nothing in text. */
static uint64_t
count_trailing(const MfPly *ply)
{
	const uint8_t *p = ply->at;

	if (ply->encoding == MF_PLY_ASCII)
		while (p < ply->end && (mf_text_is_space((char) *p) || *p == 0))
			p++;
	return ply->end - p;
}

/* Reads all elements, vertices before what uses them. */
static bool
read_elements(MfPly *ply)
{
	bool		vertices = ply->vertices == 0;

	for (uint32_t i = 0; i < ply->element_count; i++)
	{
		MfPlyElement *element = &ply->element[i];
		const bool	surface = element->kind == MF_PLY_FACES ||
		element->kind == MF_PLY_STRIPS;

		if (surface && !vertices)
			element->rows = ply->at;
		if (!read_element(ply, element, element->kind == MF_PLY_OTHER ||
						  element->rows != NULL))
			return false;
		vertices |= element->kind == MF_PLY_VERTICES;
	}
	ply->job->trailing_bytes = count_trailing(ply);
	for (uint32_t i = 0; i < ply->element_count; i++)
	{
		MfPlyElement *element = &ply->element[i];

		if (element->rows == NULL)
			continue;
		ply->at = element->rows;
		if (!read_element(ply, element, false))
			return false;
	}
	return true;
}

/* Reads a file that detection has found to be PLY. */
bool
mf_ply_read(MfJob *job, MfMesh *mesh)
{
	MfPly	   *ply = mf_memory_alloc(&job->memory, sizeof(*ply));
	bool		good;

	if (ply == NULL)
		return mf_job_out_of_memory(job);
	ply->job = job;
	ply->mesh = mesh;
	ply->at = job->bytes;
	ply->end = ply->at + job->size;
	if (job->size >= 3 && memcmp(ply->at, "\357\273\277", 3) == 0)
		ply->at += 3;
	while (ply->at < ply->end && mf_text_is_space((char) *ply->at))
		ply->at++;
	mf_polygon_begin(&ply->polygon);
	good = mf_ply_read_header(ply) && prepare(ply) && read_elements(ply);
	mf_polygon_end(job, &ply->polygon);
	mf_memory_free(&job->memory, ply, sizeof(*ply));
	if (good && mesh->triangle_count == 0)
	{
		mf_refuse(job->refusal, MF_ERROR_EMPTY,
				  "The file contains no triangles.");
		return false;
	}
	return good && mf_weld_vertices(job, mesh);
}
