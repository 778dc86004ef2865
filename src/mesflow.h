/*
 * mesflow.h
 *		Names that every backend file of mesflow shares.
 */
#ifndef MESFLOW_H
#define MESFLOW_H

#include "utils/elog.h"

#ifndef MF_VERSION
#error "MF_VERSION must be given by the build, as a string"
#endif

/* What CREATE EXTENSION names, the schema and the prefix of all settings. */
#define MF_EXTENSION	"mesflow"

/*
 * SQLSTATE class of our own.  The numbers follow HTTP's, so that a gateway
 * can map them; the list for users is in the section "Errors" of the README.
 */
#define MF_ERRCODE_BAD_ARGUMENT MAKE_SQLSTATE('M', 'F', '4', '0', '0')
#define MF_ERRCODE_NOT_FOUND	MAKE_SQLSTATE('M', 'F', '4', '0', '4')
#define MF_ERRCODE_CONFLICT		MAKE_SQLSTATE('M', 'F', '4', '0', '9')
#define MF_ERRCODE_NOT_ALLOWED	MAKE_SQLSTATE('M', 'F', '4', '2', '3')
#define MF_ERRCODE_OVER_LIMIT	MAKE_SQLSTATE('M', 'F', '4', '2', '9')
#define MF_ERRCODE_NOT_HERE		MAKE_SQLSTATE('M', 'F', '5', '0', '3')

#endif							/* MESFLOW_H */
