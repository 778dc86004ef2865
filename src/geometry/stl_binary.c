/*
 * stl_binary.c
 *		Binary STL: 80 bytes of anything, a count, 50 bytes per facet (normal,
 *		three corners, two bytes that some programs use for colour).
 */
#include "mesh.h"
#include "stl.h"

/*
 * Bytes per triangle that the work takes at its height, while corners are
 * welded: where each belongs, and itself in its bucket.
 */
#define MEMORY	(3 * (sizeof(uint32_t) + 16))

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
	if (!mf_job_check_memory(job, count * MEMORY))
		return false;

	return mf_weld_triangles(job, mesh, job->bytes + MF_STL_HEADER +
							 MF_STL_NORMAL, MF_STL_FACET, count);
}
