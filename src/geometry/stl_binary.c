/*
 * stl_binary.c
 *		Binary STL: 80 bytes of anything, a count, 50 bytes per facet (normal,
 *		three corners, two bytes that some programs use for colour).
 */
#include <string.h>

#include "mesh.h"
#include "stl.h"

/* Bytes per triangle that the work takes at its height, at the least. */
#define LEAST_MEMORY	(sizeof(uint32_t[3]) + sizeof(float[3]) / 2 + 24)

/*
 * Reads the facets that the header announces.  Detection has checked neither
 * count nor size.
 */
bool
mf_stl_read_binary(MfJob *job, MfMesh *mesh)
{
	const uint64_t count = mf_stl_header_count(job->bytes);
	const uint64_t there = (job->size - MF_STL_HEADER) / MF_STL_FACET;
	const uint64_t rest = job->size - MF_STL_HEADER;
	const uint8_t *corners = job->bytes + MF_STL_HEADER + MF_STL_NORMAL;
	MfWeld		weld;
	bool		good;

	/* The count has 32 bits: in 64, nothing here overflows. */
	if (rest < count * MF_STL_FACET)
	{
		mf_refuse(job->refusal, MF_ERROR_TRUNCATED,
				  "The file ends too early: its header announces %llu "
				  "triangles, but only %llu are there.",
				  (unsigned long long) count, (unsigned long long) there);
		return false;
	}
	job->trailing_bytes = rest - count * MF_STL_FACET;
	if (job->trailing_bytes >= MF_STL_FACET)
	{
		mf_refuse(job->refusal, MF_ERROR_MALFORMED,
				  "The header announces %llu triangles, but there is data for "
				  "%llu, so it is not known which of them are meant.",
				  (unsigned long long) count, (unsigned long long) there);
		return false;
	}
	if (count == 0)
	{
		mf_refuse(job->refusal, MF_ERROR_EMPTY,
				  "The file contains no triangles.");
		return false;
	}
	if (count > job->max_triangles)
		return mf_job_too_many(job, count);
	if (!mf_job_check_memory(job, count * LEAST_MEMORY))
		return false;

	good = mf_weld_begin(&weld, job, mesh, count);
	for (uint64_t done = 0; good && done < count;)
	{
		uint64_t	step = count - done;

		if (step > MF_PROGRESS_ITEMS)
			step = MF_PROGRESS_ITEMS;
		mf_job_progress(job, MF_STAGE_WELDING, done, count);
		good = mf_weld_add_narrow(&weld, corners + done * MF_STL_FACET,
								  MF_STL_FACET, step);
		done += step;
	}
	mf_weld_end(&weld);
	return good;
}
