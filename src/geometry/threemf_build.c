/*
 * threemf_build.c
 *		The build section of 3MF: objects of objects of objects, put together.
 *
 * The uses of objects are a graph without cycles, and the same object may be
 * used by many others, so that a file of some kilobytes can name more places
 * than any machine has bytes.  So each object is looked at once, its meshes
 * are counted from those of its components, and only what is known to be few
 * enough is then laid out, down from the items.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "threemf.h"

/* Where an object is in the walk. */
enum
{
	NOT_SEEN = 0,
	OPEN,						/* its components are being looked at */
	DONE
};

/* What a step of the walk goes on with. */
typedef struct Step
{
	uint32_t	object;
	uint32_t	next;			/* component */
} Step;

/* A place on the way down from an item. */
typedef struct Place
{
	uint32_t	object;
	uint32_t	next;
	double		linear[3][3];
	double		shift[3];
} Place;

static int
compare_ids(const void *a, const void *b)
{
	const Mf3mfObject *one = a;
	const Mf3mfObject *other = b;

	return one->id < other->id ? -1 : one->id > other->id;
}

/* Sorts the objects of each file by their ids, of which none is there twice. */
static bool
sort_objects(Mf3mf *threemf)
{
	for (uint32_t f = 0; f < threemf->file_count; f++)
	{
		const Mf3mfFile *file = &threemf->file[f];
		Mf3mfObject *object;

		if (file->object_count < 2)
			continue;
		object = threemf->object + file->first_object;
		qsort(object, file->object_count, sizeof(*object), compare_ids);
		for (uint32_t i = 1; i < file->object_count; i++)
			if (object[i].id == object[i - 1].id)
			{
				mf_refuse(threemf->job->refusal, MF_ERROR_MALFORMED,
						  "There are two objects with the id %u.",
						  object[i].id);
				return false;
			}
	}
	return true;
}

/* Finds the objects that are used. */
static bool
resolve_uses(Mf3mf *threemf, Mf3mfUses *uses, const char *what)
{
	for (uint32_t u = 0; u < uses->count; u++)
	{
		Mf3mfUse   *use = &uses->use[u];
		const Mf3mfFile *file = &threemf->file[use->file];
		const Mf3mfObject wanted = {.id = use->id};
		uint32_t	low = file->first_object;
		uint32_t	high = low + file->object_count;

		while (low < high)
		{
			const uint32_t middle = low + (high - low) / 2;

			if (threemf->object[middle].id < wanted.id)
				low = middle + 1;
			else
				high = middle;
		}
		if (low == file->first_object + file->object_count ||
			threemf->object[low].id != wanted.id)
		{
			mf_refuse(threemf->job->refusal, MF_ERROR_MALFORMED,
					  "%s uses object %u, which does not exist.", what,
					  wanted.id);
			return false;
		}
		use->object = low;
	}
	return true;
}

/*
 * Counts what is in an object whose components have been counted.  Those with
 * nothing in them are left out of its list, so that it is worth every look
 * that is taken at it from each of its places.
 */
static bool
count_object(Mf3mf *threemf, Mf3mfObject *object)
{
	Mf3mfUse   *use = threemf->components.use;
	uint64_t	leaves = object->part != MF_3MF_NO_PART;
	uint32_t	depth = 0;
	uint32_t	kept = object->first_component;

	for (uint32_t c = 0; c < object->component_count; c++)
	{
		const Mf3mfUse *here = &use[object->first_component + c];
		const Mf3mfObject *component = &threemf->object[here->object];

		leaves += component->leaves;
		depth = depth > component->depth ? depth : component->depth;
		if (component->leaves > 0)
			use[kept++] = *here;
	}
	object->component_count = kept - object->first_component;
	if (depth == MF_3MF_MAX_DEPTH)
	{
		mf_refuse(threemf->job->refusal, MF_ERROR_MALFORMED,
				  "Objects are components of each other, more than %d deep.",
				  MF_3MF_MAX_DEPTH);
		return false;
	}
	object->depth = (uint8_t) (depth + 1);
	object->leaves = leaves > MF_MAX_INSTANCES ? MF_MAX_INSTANCES + 1 :
		(uint32_t) leaves;
	if (!object->counts)
	{
		object->leaves = 0;
		threemf->job->left_out++;
	}
	object->seen = DONE;
	return true;
}

/* Looks at an object and all that is in it, each once. */
static bool
walk_object(Mf3mf *threemf, uint32_t from, Step *stack)
{
	uint32_t	height = 0;

	if (threemf->object[from].seen == DONE)
		return true;
	stack[height++] = (Step)
	{
		.object = from
	};
	threemf->object[from].seen = OPEN;
	while (height > 0)
	{
		Step	   *top = &stack[height - 1];
		Mf3mfObject *object = &threemf->object[top->object];
		uint32_t	next;

		if (top->next == object->component_count)
		{
			if (!count_object(threemf, object))
				return false;
			height--;
			continue;
		}
		next = threemf->components.use[object->first_component +
									   top->next++].object;
		if (threemf->object[next].file == object->file &&
			threemf->object[next].order >= object->order)
		{
			mf_refuse(threemf->job->refusal, MF_ERROR_MALFORMED,
					  "Object %u has the component %u, which is not defined "
					  "before it.", object->id, threemf->object[next].id);
			return false;
		}
		if (threemf->object[next].seen == OPEN)
		{
			mf_refuse(threemf->job->refusal, MF_ERROR_MALFORMED,
					  "Object %u is a component of itself, by way of others.",
					  threemf->object[next].id);
			return false;
		}
		if (threemf->object[next].seen == NOT_SEEN)
		{
			threemf->object[next].seen = OPEN;
			stack[height++] = (Step)
			{
				.object = next
			};
		}
	}
	return true;
}

/* Looks at all that the items use, and counts its places. */
static bool
walk_items(Mf3mf *threemf)
{
	const uint64_t bytes = threemf->object_count * (uint64_t) sizeof(Step);
	Step	   *stack = mf_memory_alloc(&threemf->job->memory, bytes);
	uint64_t	places = 0;
	bool		good = true;

	if (stack == NULL)
		return mf_job_out_of_memory(threemf->job);
	for (uint32_t i = 0; i < threemf->items.count && good; i++)
	{
		const Mf3mfUse *item = &threemf->items.use[i];
		const Mf3mfObject *object = &threemf->object[item->object];

		if (object->other)
		{
			mf_refuse(threemf->job->refusal, MF_ERROR_MALFORMED,
					  "The build section has object %u, which is of the type "
					  "\"other\".", object->id);
			good = false;
		}
		else
			good = walk_object(threemf, item->object, stack);
		places += object->leaves;
	}
	mf_memory_free(&threemf->job->memory, stack, bytes);
	if (good && places > MF_MAX_INSTANCES)
	{
		mf_refuse(threemf->job->refusal, MF_ERROR_ARCHIVE_BOMB,
				  "The file puts its parts into more than %d places.",
				  MF_MAX_INSTANCES);
		return false;
	}
	return good;
}

/*
 * The place of what is used in a place: first its own map, in the unit of
 * the file that uses it, then that of the place.
 */
static void
enter_place(const Mf3mf *threemf, const Place *outer, uint32_t file,
			const Mf3mfUse *use, Place *place)
{
	const double scale = use->file == file ? 1 :
	mf_unit_in_mm(threemf->file[use->file].unit) /
	mf_unit_in_mm(threemf->file[file].unit);

	place->object = use->object;
	place->next = 0;
	for (int i = 0; i < 3; i++)
	{
		place->shift[i] = outer->shift[i];
		for (int k = 0; k < 3; k++)
		{
			place->shift[i] += outer->linear[i][k] * use->shift[k];
			place->linear[i][k] = 0;
			for (int j = 0; j < 3; j++)
				place->linear[i][k] += outer->linear[i][j] *
					use->linear[j][k];
			place->linear[i][k] *= scale;
		}
	}
}

/* Lays out what one item builds. */
static bool
place_item(Mf3mf *threemf, const Mf3mfUse *item)
{
	static const Place origin = {
		.linear = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
	};
	Place		stack[MF_3MF_MAX_DEPTH + 1];
	uint32_t	height = 1;

	if (threemf->object[item->object].leaves == 0)
		return true;
	enter_place(threemf, &origin, 0, item, &stack[0]);
	while (height > 0)
	{
		Place	   *top = &stack[height - 1];
		const Mf3mfObject *object = &threemf->object[top->object];
		const Mf3mfUse *use;

		if (object->part != MF_3MF_NO_PART)
		{
			if (!mf_scene_place(threemf->job, threemf->scene, object->part,
								(const double (*)[3]) top->linear,
								top->shift))
				return false;
			height--;
			continue;
		}
		if (top->next == object->component_count)
		{
			height--;
			continue;
		}
		use = &threemf->components.use[object->first_component + top->next++];
		enter_place(threemf, top, object->file, use, &stack[height++]);
	}
	return true;
}

/* Welds the parts that are somewhere, and gives up the others. */
static bool
finish_parts(Mf3mf *threemf)
{
	MfScene    *scene = threemf->scene;
	const uint64_t bytes = scene->part_count;
	bool	   *used = mf_memory_alloc(&threemf->job->memory, bytes);
	bool		good = true;

	if (used == NULL)
		return mf_job_out_of_memory(threemf->job);
	for (uint32_t p = 0; p < scene->placement_count; p++)
		used[scene->placement[p].part] = true;
	for (uint32_t p = 0; p < scene->part_count && good; p++)
	{
		MfMesh	   *mesh = &scene->part[p].mesh;

		if (used[p])
			good = mf_weld_vertices(threemf->job, mesh);
		else
		{
			mf_mesh_free(threemf->job, mesh);
			mesh->triangle_count = 0;
			mesh->vertex_count = 0;
		}
	}
	mf_memory_free(&threemf->job->memory, used, bytes);
	return good;
}

/* Puts the parts together; see threemf.h. */
bool
mf_threemf_build(Mf3mf *threemf)
{
	if (!sort_objects(threemf) ||
		!resolve_uses(threemf, &threemf->components, "A component") ||
		!resolve_uses(threemf, &threemf->items, "The build section") ||
		!walk_items(threemf))
		return false;
	for (uint32_t i = 0; i < threemf->items.count; i++)
		if (!place_item(threemf, &threemf->items.use[i]))
			return false;
	return finish_parts(threemf);
}
