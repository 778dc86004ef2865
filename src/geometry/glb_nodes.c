/*
 * glb_nodes.c
 *		The tree of nodes of a GLB file: which meshes stand where.
 *
 * Nodes are visited level by level, each once: what would be visited twice
 * is no tree, and refused.  So nothing here is deep, and nothing loops.
 */
#include <math.h>
#include <string.h>

#include "glb.h"

/* What products of matrices may have made of 0 and 1 in their last row. */
#define ROUNDED		1e-6

/* A map of places: three rows of a linear map, and a shift. */
typedef struct Place
{
	double		linear[3][3];
	double		shift[3];
} Place;

typedef struct Tree
{
	MfGlb	   *glb;
	uint8_t    *visited;
	uint32_t   *queue;			/* nodes in the order of their visit */
	Place	   *place;			/* of the node at this place of the queue */
	uint32_t	queued;
} Tree;

/* Reads `count` numbers of an array; false: refused. */
static bool
read_numbers(MfGlb *glb, uint32_t node, uint32_t array, uint32_t count,
			 double *to)
{
	if (mf_json_items(&glb->json, array) != count)
		return mf_glb_refuse(glb, "nodes", node,
							 "has a transformation of another length");
	for (uint32_t i = 0; i < count; i++)
	{
		if (glb->json.value[array + 1 + i].kind != MF_JSON_NUMBER)
			return mf_glb_refuse(glb, "nodes", node,
								 "has a transformation that is no number");
		to[i] = mf_json_number(&glb->json, array + 1 + i);
		if (isfinite(to[i]))
			continue;
		mf_refuse(glb->job->refusal, MF_ERROR_NON_FINITE,
				  "Node %u is moved by a number that is not finite.", node);
		return false;
	}
	return true;
}

/*
 * The rotation of a quaternion x, y, z, w, which need not be of length one:
 * files have it rounded.
 */
static bool
turn(MfGlb *glb, uint32_t node, const double q[4], double to[3][3])
{
	const double length = sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] +
							   q[3] * q[3]);
	const double x = q[0] / length;
	const double y = q[1] / length;
	const double z = q[2] / length;
	const double w = q[3] / length;

	if (!(length > 0.5 && length < 2))
		return mf_glb_refuse(glb, "nodes", node, "has no valid rotation");
	to[0][0] = 1 - 2 * (y * y + z * z);
	to[0][1] = 2 * (x * y - z * w);
	to[0][2] = 2 * (x * z + y * w);
	to[1][0] = 2 * (x * y + z * w);
	to[1][1] = 1 - 2 * (x * x + z * z);
	to[1][2] = 2 * (y * z - x * w);
	to[2][0] = 2 * (x * z - y * w);
	to[2][1] = 2 * (y * z + x * w);
	to[2][2] = 1 - 2 * (x * x + y * y);
	return true;
}

/* Scales, then turns, then shifts; false: refused. */
static bool
compose(MfGlb *glb, uint32_t node, const double shift[3], const double q[4],
		const double scale[3], Place *place)
{
	if (!turn(glb, node, q, place->linear))
		return false;
	for (int i = 0; i < 3; i++)
	{
		place->shift[i] = shift[i];
		for (int k = 0; k < 3; k++)
			place->linear[i][k] *= scale[k];
	}
	return true;
}

/* What a node says about its place in the one above it. */
static bool
read_place(MfGlb *glb, uint32_t node, Place *place)
{
	const MfJson *json = &glb->json;
	const uint32_t object = glb->nodes.item[node];
	const uint32_t matrix = mf_json_member(json, object, "matrix");
	const uint32_t shift = mf_json_member(json, object, "translation");
	const uint32_t rotation = mf_json_member(json, object, "rotation");
	const uint32_t scale = mf_json_member(json, object, "scale");
	double		column[16];
	double		t[3] = {0};
	double		q[4] = {0, 0, 0, 1};
	double		s[3] = {1, 1, 1};

	memset(place, 0, sizeof(*place));
	if (matrix != MF_JSON_NONE)
	{
		if (!read_numbers(glb, node, matrix, 16, column))
			return false;
		if (!(fmax(fmax(fabs(column[3]), fabs(column[7])),
				   fmax(fabs(column[11]), fabs(column[15] - 1))) <=
			  ROUNDED))
			return mf_glb_refuse(glb, "nodes", node,
								 "has a matrix with a perspective");
		for (int i = 0; i < 3; i++)
		{
			for (int k = 0; k < 3; k++)
				place->linear[i][k] = column[4 * k + i];
			place->shift[i] = column[12 + i];
		}
		return true;
	}
	return (shift == MF_JSON_NONE ||
			read_numbers(glb, node, shift, 3, t)) &&
		(rotation == MF_JSON_NONE ||
		 read_numbers(glb, node, rotation, 4, q)) &&
		(scale == MF_JSON_NONE || read_numbers(glb, node, scale, 3, s)) &&
		compose(glb, node, t, q, s, place);
}

/* Puts a place into the one that it is in. */
static void
combine(const Place *outer, Place *inner)
{
	const Place own = *inner;

	for (int i = 0; i < 3; i++)
	{
		inner->shift[i] = outer->shift[i];
		for (int k = 0; k < 3; k++)
		{
			inner->shift[i] += outer->linear[i][k] * own.shift[k];
			inner->linear[i][k] = outer->linear[i][0] * own.linear[0][k] +
				outer->linear[i][1] * own.linear[1][k] +
				outer->linear[i][2] * own.linear[2][k];
		}
	}
}

/* Puts a node into the queue; `above` is NULL for one that is in none. */
static bool
queue_node(Tree *tree, uint32_t node, const Place *above)
{
	Place	   *place = &tree->place[tree->queued];

	if (tree->visited[node])
		return mf_glb_refuse(tree->glb, "nodes", node,
							 "is in the scene twice, or within itself");
	tree->visited[node] = true;
	tree->queue[tree->queued++] = node;
	if (!read_place(tree->glb, node, place))
		return false;
	if (above != NULL)
		combine(above, place);
	return true;
}

/* Puts all nodes of a list of numbers into the queue. */
static bool
queue_list(Tree *tree, uint32_t list, const Place *above)
{
	MfGlb	   *glb = tree->glb;
	uint32_t	item = list + 1;

	for (uint32_t i = 0; i < mf_json_items(&glb->json, list); i++)
	{
		const uint64_t node = mf_json_integer(&glb->json, item);

		if (node >= glb->nodes.count)
		{
			mf_refuse(glb->job->refusal, MF_ERROR_MALFORMED,
					  "The GLB file names a node that is not there.");
			return false;
		}
		if (!queue_node(tree, (uint32_t) node, above))
			return false;
		item = glb->json.value[item].next;
	}
	return true;
}

/* Puts the nodes into the queue that are in no other. */
static bool
queue_roots(Tree *tree)
{
	MfGlb	   *glb = tree->glb;
	uint8_t    *within = mf_memory_alloc(&glb->job->memory,
										 glb->nodes.count);
	bool		good = true;

	if (within == NULL)
		return mf_job_out_of_memory(glb->job);
	for (uint32_t n = 0; n < glb->nodes.count; n++)
	{
		const uint32_t children = mf_json_member(&glb->json,
												 glb->nodes.item[n],
												 "children");
		uint32_t	item = children + 1;

		for (uint32_t i = 0; i < mf_json_items(&glb->json, children); i++)
		{
			const uint64_t node = mf_json_integer(&glb->json, item);

			if (node < glb->nodes.count)
				within[node] = true;
			item = glb->json.value[item].next;
		}
	}
	for (uint32_t n = 0; good && n < glb->nodes.count; n++)
		good = within[n] || queue_node(tree, n, NULL);
	mf_memory_free(&glb->job->memory, within, glb->nodes.count);
	return good;
}

/*
 * Begins with the nodes of the scene that the file names, or of its first
 * one; without scenes, with all that are in no other.
 */
static bool
queue_scene(Tree *tree)
{
	MfGlb	   *glb = tree->glb;
	const uint32_t scenes = mf_json_member(&glb->json, MF_JSON_ROOT, "scenes");
	uint32_t	item = scenes + 1;
	uint64_t	number;

	if (!mf_glb_integer(glb, MF_JSON_ROOT, "scene", 0, &number))
		return false;
	if (mf_json_items(&glb->json, scenes) == 0)
		return queue_roots(tree);
	if (number >= mf_json_items(&glb->json, scenes))
	{
		mf_refuse(glb->job->refusal, MF_ERROR_MALFORMED,
				  "The GLB file names a scene that is not there.");
		return false;
	}
	for (; number > 0; number--)
		item = glb->json.value[item].next;
	return queue_list(tree, mf_json_member(&glb->json, item, "nodes"), NULL);
}

/* Puts a part somewhere, unless it is scaled away. */
static bool
place_part(MfGlb *glb, uint32_t part, const Place *place)
{
	const double (*m)[3] = place->linear;

	/* Scaling by zero is how a node is hidden. */
	if (m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
		m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
		m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]) == 0)
	{
		glb->job->left_out++;
		return true;
	}
	return mf_scene_place(glb->job, glb->scene, part, m, place->shift);
}

/*
 * Opens a column of the instances of a node (EXT_mesh_gpu_instancing), of
 * `numbers` numbers each.  All columns are of one length, *count.
 */
static bool
open_instances(MfGlb *glb, uint32_t node, uint32_t attributes,
			   const char *name, uint32_t numbers, MfGlbColumn *column,
			   uint64_t *count)
{
	uint32_t	accessor;

	column->count = 0;
	if (!mf_glb_reference(glb, attributes, name, &glb->accessors, &accessor))
		return false;
	if (accessor == MF_GLB_NONE)
		return true;
	if (!mf_glb_open(glb, accessor, numbers, column))
		return false;
	if (column->type == MF_GLB_UINT32)
		return mf_glb_refuse(glb, "accessors", accessor,
							 "has a type that does not fit its use");
	if (*count != UINT64_MAX && *count != column->count)
		return mf_glb_refuse(glb, "nodes", node,
							 "has instances without a place");
	*count = column->count;
	return true;
}

/* Puts a part where the instances of a node are. */
static bool
place_instances(MfGlb *glb, uint32_t node, uint32_t attributes, uint32_t part,
				const Place *outer)
{
	MfGlbColumn column[3];
	uint64_t	count = UINT64_MAX;

	if (!open_instances(glb, node, attributes, "TRANSLATION", 3, &column[0],
						&count) ||
		!open_instances(glb, node, attributes, "ROTATION", 4, &column[1],
						&count) ||
		!open_instances(glb, node, attributes, "SCALE", 3, &column[2],
						&count))
		return false;
	if (count == UINT64_MAX)
		return place_part(glb, part, outer);
	if (count > MF_MAX_INSTANCES)
		count = MF_MAX_INSTANCES + UINT64_C(1);
	if (!mf_glb_spend(glb, count))
		return false;
	for (uint64_t i = 0; i < count; i++)
	{
		double		t[3] = {0};
		double		q[4] = {0, 0, 0, 1};
		double		s[3] = {1, 1, 1};
		double	   *to[3] = {t, q, s};
		Place		place;

		for (int k = 0; k < 3; k++)
			if (column[k].count > 0)
				mf_glb_load_reals(&column[k], i, to[k]);
		if (!compose(glb, node, t, q, s, &place))
			return false;
		combine(outer, &place);
		if (!place_part(glb, part, &place))
			return false;
	}
	return true;
}

/* Puts a node's mesh where the node is. */
static bool
place_mesh(MfGlb *glb, uint32_t node, const Place *place)
{
	const MfJson *json = &glb->json;
	const uint32_t object = glb->nodes.item[node];
	const uint32_t instancing =
	mf_json_member(json, mf_json_member(json, object, "extensions"),
				   "EXT_mesh_gpu_instancing");
	uint32_t	mesh;
	uint32_t	part;

	if (!mf_glb_reference(glb, object, "mesh", &glb->meshes, &mesh))
		return false;
	if (mesh == MF_GLB_NONE)
		return true;
	if (!mf_glb_find_part(glb, mesh, &part))
		return false;
	if (part == MF_GLB_NONE)
		return true;
	if (mf_json_member(json, object, "skin") != MF_JSON_NONE)
		mf_job_note_extension(glb->job, "skins", 5);
	if (instancing == MF_JSON_NONE)
		return place_part(glb, part, place);
	return place_instances(glb, node,
						   mf_json_member(json, instancing, "attributes"),
						   part, place);
}

/* Visits all nodes of the scene. */
static bool
visit_nodes(Tree *tree)
{
	MfGlb	   *glb = tree->glb;

	if (!queue_scene(tree))
		return false;
	for (uint32_t i = 0; i < tree->queued; i++)
	{
		const uint32_t node = tree->queue[i];

		if (!queue_list(tree, mf_json_member(&glb->json,
											 glb->nodes.item[node],
											 "children"), &tree->place[i]) ||
			!place_mesh(glb, node, &tree->place[i]))
			return false;
	}
	return true;
}

/* A file without nodes is a library of meshes: each stands where it is. */
static bool
place_all(MfGlb *glb)
{
	for (uint32_t i = 0; i < glb->meshes.count; i++)
	{
		uint32_t	part;

		if (!mf_glb_find_part(glb, i, &part) ||
			(part != MF_GLB_NONE &&
			 !mf_scene_place(glb->job, glb->scene, part, NULL, NULL)))
			return false;
	}
	return true;
}

/* Puts meshes where they are; see glb.h. */
bool
mf_glb_place_nodes(MfGlb *glb)
{
	MfMemory   *memory = &glb->job->memory;
	const uint64_t count = glb->nodes.count;
	Tree		tree = {.glb = glb};
	bool		good;

	if (count == 0)
		return place_all(glb);
	tree.visited = mf_memory_alloc(memory, count);
	tree.queue = mf_memory_alloc(memory, count * sizeof(*tree.queue));
	tree.place = mf_memory_alloc(memory, count * sizeof(*tree.place));
	if (tree.visited != NULL && tree.queue != NULL && tree.place != NULL)
		good = visit_nodes(&tree);
	else
		good = mf_job_out_of_memory(glb->job);
	mf_memory_free(memory, tree.visited, count);
	mf_memory_free(memory, tree.queue, count * sizeof(*tree.queue));
	mf_memory_free(memory, tree.place, count * sizeof(*tree.place));
	return good;
}
