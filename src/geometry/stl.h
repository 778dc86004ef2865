/*
 * stl.h
 *		The layout of binary STL (the StereoLithography Interface
 *		Specification, 3D Systems, 1989), for its reader and for detection.
 */
#ifndef MF_STL_H
#define MF_STL_H

#include <stdint.h>
#include <string.h>

#define MF_STL_HEADER	84		/* bytes before the first facet */
#define MF_STL_COUNT	80		/* where the count of facets is */
#define MF_STL_FACET	50		/* bytes of one facet */
#define MF_STL_NORMAL	12		/* of them before the first corner */

/* The count of facets; there must be MF_STL_HEADER bytes. */
static inline uint64_t
mf_stl_header_count(const uint8_t *bytes)
{
	uint32_t	count;

	memcpy(&count, bytes + MF_STL_COUNT, sizeof(count));
	return count;
}

#endif							/* MF_STL_H */
