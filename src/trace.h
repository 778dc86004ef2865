/*
 * trace.h
 *		The trace context of a caller.
 */
#ifndef MF_TRACE_H
#define MF_TRACE_H

#include "utils/uuid.h"

extern bool mf_trace_id(const char *traceparent, pg_uuid_t *id);

#endif							/* MF_TRACE_H */
