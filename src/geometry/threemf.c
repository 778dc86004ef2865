/*
 * threemf.c
 *		3MF: a ZIP archive (zip.c) that is a package of parts
 *		(threemf_package.c), of which some are models in XML
 *		(threemf_model.c), with objects that a build section puts together
 *		(threemf_build.c).
 */
#include <string.h>

#include "threemf.h"

/* Makes room for one more; see threemf.h. */
bool
mf_threemf_grow(MfJob *job, void **array, uint32_t count, uint32_t *room,
				uint64_t each)
{
	const uint32_t wanted = *room + *room / 2 + 8;
	void	   *grown;

	if (count < *room)
		return true;
	grown = mf_memory_grow(&job->memory, *array, *room * each, wanted * each);
	if (grown == NULL)
		return mf_job_out_of_memory(job);
	*array = grown;
	*room = wanted;
	return true;
}

static void
free_uses(MfJob *job, Mf3mfUses *uses)
{
	mf_memory_free(&job->memory, uses->use,
				   uses->room * (uint64_t) sizeof(*uses->use));
}

static void
free_threemf(Mf3mf *threemf)
{
	MfMemory   *memory = &threemf->job->memory;

	mf_memory_free(memory, threemf->file_of_entry, threemf->zip.count *
				   (uint64_t) sizeof(*threemf->file_of_entry));
	mf_memory_free(memory, threemf->file,
				   threemf->file_room * (uint64_t) sizeof(*threemf->file));
	mf_memory_free(memory, threemf->object,
				   threemf->object_room * (uint64_t) sizeof(*threemf->object));
	free_uses(threemf->job, &threemf->components);
	free_uses(threemf->job, &threemf->items);
	mf_memory_free(memory, threemf->scratch, threemf->scratch_bytes);
	mf_zip_close(threemf->job, &threemf->zip);
}

/* Reads all model parts, from the one that the package starts with. */
static bool
read_models(Mf3mf *threemf)
{
	const MfZipEntry *start = mf_threemf_start(threemf);
	uint32_t	file;

	if (start == NULL || !mf_threemf_file(threemf, start, &file))
		return false;

	/* A model may name more of them while it is read. */
	for (file = 0; file < threemf->file_count; file++)
		if (!mf_threemf_read_model(threemf, file))
			return false;
	threemf->scene->unit = threemf->file[0].unit;
	return true;
}

/* Reads a file that detection has found to be a ZIP archive. */
bool
mf_threemf_read(MfJob *job, MfScene *scene)
{
	Mf3mf		threemf = {.job = job,.scene = scene};
	bool		good;

	good = mf_zip_open(job, &threemf.zip) && read_models(&threemf) &&
		mf_threemf_build(&threemf);
	free_threemf(&threemf);
	return good;
}
