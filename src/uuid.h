/*
 * uuid.h
 *		Random identifiers, for C.
 */
#ifndef MF_UUID_H
#define MF_UUID_H

#include "utils/uuid.h"

/* A new UUID of version 7: see uuid.c. */
extern pg_uuid_t mf_uuid7(void);

#endif							/* MF_UUID_H */
