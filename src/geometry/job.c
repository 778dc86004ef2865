/*
 * job.c
 *		What every step of one measurement needs: saying how far it is, and
 *		the refusals that any step may have to give.
 */
#include <string.h>

#include "mesh.h"

/* Each stage's share of the whole: from where to where, in percent. */
typedef struct Share
{
	int			from;
	int			until;
} Share;

/* Without walls, layers and picture, a binary file's weld is half of all. */
static const Share basic_share[] = {
	[MF_STAGE_STARTING] = {0, 0},
	[MF_STAGE_READING] = {0, 45},
	[MF_STAGE_WELDING] = {0, 50},	/* a binary file is welded while read */
	[MF_STAGE_TOPOLOGY] = {50, 85},
	[MF_STAGE_MEASURING] = {85, 100},
	[MF_STAGE_WALLS] = {100, 100},
	[MF_STAGE_PICTURE] = {100, 100},
	[MF_STAGE_DONE] = {100, 100}
};

static const Share full_share[] = {
	[MF_STAGE_STARTING] = {0, 0},
	[MF_STAGE_READING] = {0, 25},
	[MF_STAGE_WELDING] = {0, 30},
	[MF_STAGE_TOPOLOGY] = {30, 50},
	[MF_STAGE_MEASURING] = {50, 60},
	[MF_STAGE_WALLS] = {60, 95},
	[MF_STAGE_PICTURE] = {95, 99},
	[MF_STAGE_DONE] = {100, 100}
};

/*
 * Tells the caller how far this stage is.  Called every MF_PROGRESS_ITEMS
 * items or so; each call is passed on, so that a caller which takes silence
 * for death hears something.  The percentage never goes back.
 */
void
mf_job_progress(MfJob *job, MfStage stage, uint64_t done, uint64_t total)
{
	const Share share = job->basic ? basic_share[stage] : full_share[stage];
	int			percent = share.from;

	if (job->progress == NULL)
		return;
	if (total > 0)
		percent += (int) ((double) (share.until - share.from) *
						  (job->share_from +
						   job->share * (double) done / (double) total));
	if (percent < job->last_percent)
		percent = job->last_percent;
	job->last_percent = percent;
	job->progress(job->progress_arg, stage, percent);
}

/* What the progress of tasks is told with. */
typedef struct Telling
{
	MfJob	   *job;
	MfStage		stage;
	double		from;
	double		each;
} Telling;

/* Tells how many tasks are done. */
static void
tell_done(void *arg, uint32_t done)
{
	const Telling *telling = arg;

	mf_job_progress(telling->job, telling->stage,
					(uint64_t) ((telling->from + telling->each * done) * 1e6),
					1000000);
}

/*
 * Does tasks with all threads of the job's pool, as that part of a stage
 * which is from .. until, of 1.
 */
void
mf_job_run(MfJob *job, MfStage stage, double from, double until,
		   uint32_t tasks, MfTask work, void *arg)
{
	Telling		telling = {
		.job = job,.stage = stage,.from = from,
		.each = tasks > 0 ? (until - from) / tasks : 0
	};

	mf_pool_run_watched(job->pool, tasks, work, arg, tell_done, &telling);
}

/* Refuses for lack of memory; false, for the caller to return. */
bool
mf_job_out_of_memory(MfJob *job)
{
	if (job->memory.limit > 0)
		mf_refuse(job->refusal, MF_ERROR_OUT_OF_MEMORY,
				  "The model needs more memory to measure than the %.0f MB "
				  "that are allowed.", (double) job->memory.limit / 1048576);
	else
		mf_refuse(job->refusal, MF_ERROR_OUT_OF_MEMORY,
				  "There is not enough memory to measure the model.");
	return false;
}

/*
 * Refuses because of the number of triangles, 0 where the file has not been
 * read to its end; false.
 */
bool
mf_job_too_many(MfJob *job, uint64_t triangles)
{
	const unsigned long long most = job->max_triangles;

	if (triangles > 0)
		mf_refuse(job->refusal, MF_ERROR_TOO_MANY_TRIANGLES,
				  "The model has %llu triangles; at most %llu are allowed.  "
				  "Please export it with a coarser tolerance.",
				  (unsigned long long) triangles, most);
	else
		mf_refuse(job->refusal, MF_ERROR_TOO_MANY_TRIANGLES,
				  "The model has more than the %llu triangles that are "
				  "allowed.  Please export it with a coarser tolerance.",
				  most);
	return false;
}

/*
 * Would so many bytes more fit under the limit?  Asked before the work with
 * what it takes at the least, so that a file which cannot fit is refused at
 * once.
 */
bool
mf_job_check_memory(MfJob *job, uint64_t bytes)
{
	if (job->memory.limit > 0 &&
		(bytes > job->memory.limit ||
		 job->memory.used > job->memory.limit - bytes))
		return mf_job_out_of_memory(job);
	return true;
}

/* Is this name in the list, "one, other"? */
static bool
has_name(const char *list, const char *name, size_t length)
{
	while (*list != '\0')
	{
		const size_t here = strcspn(list, ",");

		if (here == length && memcmp(list, name, length) == 0)
			return true;
		list += here;
		list += strspn(list, ", ");
	}
	return false;
}

/*
 * Notes a part of the format that the file uses and that is not read; once
 * for each name, while there is room for it.  Only those are counted that
 * there was room for: of another one it is not known whether it has been.
 */
void
mf_job_note_extension(MfJob *job, const char *name, size_t length)
{
	const size_t used = strlen(job->extensions);
	const size_t comma = used > 0 ? 2 : 0;
	char		shown[65];

	if (length >= sizeof(shown))
		length = sizeof(shown) - 1;
	for (size_t i = 0; i < length; i++)
		shown[i] = name[i] > ' ' && name[i] < 0x7f && name[i] != ',' &&
			name[i] != '"' && name[i] != '\\' ? name[i] :
			name[i] == ' ' ? ' ' : '?';
	if (length == 0 || has_name(job->extensions, shown, length))
		return;
	if (used + comma + length > MF_MAX_EXTENSIONS)
		return;
	job->extension_count++;
	memcpy(job->extensions + used, ", ", comma);
	memcpy(job->extensions + used + comma, shown, length);
	job->extensions[used + comma + length] = '\0';
}
