/*
 * glb_check.h
 *		GLB files of a cube, made from its pieces.
 */
#ifndef MF_TEST_GLB_CHECK_H
#define MF_TEST_GLB_CHECK_H

#include "shapes.h"
#include "tap.h"

/* A file under way: its JSON from pieces of text, and its numbers. */
typedef struct Glb
{
	const char *nodes;			/* NULL: one with mesh 0 */
	const char *top;			/* more members of the root */
	const char *mesh;			/* more members of the primitive */
	Bytes		primitives;		/* NULL: one */
	Bytes		accessors;
	Bytes		views;
	int			view_count;
	Bytes		binary;
} Glb;

static const int face[6][4] = {
	{0, 2, 3, 1}, {4, 5, 7, 6}, {0, 1, 5, 4},
	{2, 6, 7, 3}, {0, 4, 6, 2}, {1, 3, 7, 5}
};

/* Adds a view of numbers; its number. */
static inline int
add_view(Glb *glb, const void *from, size_t size, int stride)
{
	add_text(&glb->views, "%s{\"buffer\":0,\"byteOffset\":%zu,"
			 "\"byteLength\":%zu", glb->view_count > 0 ? "," : "",
			 glb->binary.size, size);
	if (stride > 0)
		add_text(&glb->views, ",\"byteStride\":%d", stride);
	add_text(&glb->views, "}");
	add_bytes(&glb->binary, from, size);
	while (glb->binary.size % 4 != 0)
		add_bytes(&glb->binary, "", 1);
	return glb->view_count++;
}

/* Puts the parts into a file. */
static inline Bytes
wrap(const Bytes *json, const Bytes *binary)
{
	const uint32_t text = (uint32_t) (json->size + 3) / 4 * 4;
	uint32_t	head[5] = {0x46546c67, 2, 20 + text, text, 0x4e4f534a};
	Bytes		bytes = {0};

	if (binary->size > 0)
		head[2] += 8 + (uint32_t) binary->size;
	add_bytes(&bytes, head, sizeof(head));
	add_bytes(&bytes, json->at, json->size);
	add_bytes(&bytes, "   ", text - json->size);
	if (binary->size > 0)
	{
		const uint32_t next[2] = {(uint32_t) binary->size, 0x004e4942};

		add_bytes(&bytes, next, sizeof(next));
		add_bytes(&bytes, binary->at, binary->size);
	}
	return bytes;
}

static inline void
add_member(Bytes *json, const char *name, const Bytes *list)
{
	add_text(json, ",\"%s\":[", name);
	add_bytes(json, list->at, list->size);
	add_text(json, "]");
}

/* The file, and an end to what it was made of. */
static inline Bytes
finish(Glb *glb)
{
	Bytes		json = {0};
	Bytes		bytes;

	add_text(&json, "{\"asset\":{\"version\":\"2.0\"}");
	if (glb->top != NULL)
		add_bytes(&json, glb->top, strlen(glb->top));
	if (glb->nodes == NULL)
		add_text(&json, ",\"nodes\":[{\"mesh\":0}]");
	else
		add_bytes(&json, glb->nodes, strlen(glb->nodes));
	add_text(&json, ",\"meshes\":[{\"primitives\":[");
	if (glb->primitives.size > 0)
		add_bytes(&json, glb->primitives.at, glb->primitives.size);
	else
		add_text(&json, "{\"attributes\":{\"POSITION\":0},\"indices\":1%s}",
				 glb->mesh != NULL ? glb->mesh : "");
	add_text(&json, "]}]");
	add_member(&json, "accessors", &glb->accessors);
	add_member(&json, "bufferViews", &glb->views);
	add_text(&json, ",\"buffers\":[{\"byteLength\":%zu}]}", glb->binary.size);
	bytes = wrap(&json, &glb->binary);
	free_bytes(&json);
	free_bytes(&glb->primitives);
	free_bytes(&glb->accessors);
	free_bytes(&glb->views);
	free_bytes(&glb->binary);
	return bytes;
}

/* Corner i of the cube. */
static inline void
corner_at(int i, float at[3])
{
	for (int k = 0; k < 3; k++)
		at[k] = i >> k & 1 ? 10 : 0;
}

static inline void
add_accessor(Glb *glb, int view, int type, bool normalized, size_t count,
			 const char *kind, const char *more)
{
	add_text(&glb->accessors, "%s{\"componentType\":%d,\"count\":%zu,"
			 "\"type\":\"%s\"", glb->accessors.size > 0 ? "," : "", type,
			 count, kind);
	if (view >= 0)
		add_text(&glb->accessors, ",\"bufferView\":%d", view);
	if (normalized)
		add_text(&glb->accessors, ",\"normalized\":true");
	add_text(&glb->accessors, "%s}", more);
}

/* Accessor 0: the eight corners as floats, apart by a stride. */
static inline void
add_corners(Glb *glb, int stride)
{
	Bytes		bytes = {0};

	for (int i = 0; i < 8; i++)
	{
		float		at[3];

		corner_at(i, at);
		add_bytes(&bytes, at, 12);
		for (int k = 12; k < stride; k++)
			add_bytes(&bytes, "\377", 1);
	}
	add_accessor(glb, add_view(glb, bytes.at, bytes.size, stride), 5126, false,
				 8, "VEC3", "");
	free_bytes(&bytes);
}

/* An accessor of numbers of corners, of 1, 2 or 4 bytes each. */
static inline void
add_indices(Glb *glb, const int *index, size_t count, int size)
{
	Bytes		bytes = {0};

	for (size_t i = 0; i < count; i++)
		add_bytes(&bytes, &index[i], size);
	add_accessor(glb, add_view(glb, bytes.at, bytes.size, 0),
				 size == 1 ? 5121 : size == 2 ? 5123 : 5125, false, count,
				 "SCALAR", "");
	free_bytes(&bytes);
}

/* The twelve triangles. */
static inline void
add_triangles(Glb *glb, int size)
{
	int			index[36];
	int			n = 0;

	for (int f = 0; f < 6; f++)
	{
		static const int order[6] = {0, 1, 2, 0, 2, 3};

		for (int i = 0; i < 6; i++)
			index[n++] = face[f][order[i]];
	}
	add_indices(glb, index, 36, size);
}

static inline Glb
usual_cube(void)
{
	Glb			glb = {0};

	add_corners(&glb, 0);
	add_triangles(&glb, 2);
	return glb;
}

/* Measures, in mm where the file says nothing else. */
static inline bool
measure(Bytes *bytes, MfUnit unit, MfMeasurement *m, MfRefusal *refusal)
{
	const MfGeometryOptions options = {.unit = unit};
	const bool	good = measure_bytes(bytes->at, bytes->size, &options, m,
									 refusal);

	free_bytes(bytes);
	return good ? sane_measurement(m) : sane_refusal(refusal) && false;
}

static inline void
is_cube(const char *what, Bytes bytes)
{
	MfMeasurement m;
	MfRefusal	refusal = {0};
	const bool	good = measure(&bytes, MF_UNIT_MM, &m, &refusal);

	ok(good && m.format == MF_FORMAT_GLB && m.triangles == 12 &&
	   m.vertices == 8 && m.watertight && m.consistent_winding &&
	   m.bodies == 1 && near(m.volume_mm3, 1000, 1e-12) &&
	   near(m.area_mm2, 600, 1e-12) && near(m.bbox_max[0], 10, 1e-12) &&
	   fabs(m.bbox_min[2]) < 1e-12 && near(m.centroid[1], 5, 1e-12) &&
	   find_defect(&m, MF_DEFECT_INVERTED_BODY) == NULL, "the cube: %s", what);
	if (!good)
		printf("# %s\n", refusal.text);
}

#endif							/* MF_TEST_GLB_CHECK_H */
