/*
 * check.h
 *		Refusals that several verbs share.
 */
#ifndef MF_CHECK_H
#define MF_CHECK_H

#include "fmgr.h"

/* The longest note or reason of a person, in characters. */
#define MF_NOTE_MAX		10000

/* MF503 on a standby. */
extern void mf_check_primary(void);

/* MF400 where a text, called `name`, is longer than so many characters. */
extern void mf_check_length(const char *name, const char *text, int most);

/* An argument of type text; NULL where it is NULL. */
extern char *mf_argument_text(FunctionCallInfo fcinfo, int number);

/* Who acts: the actor that the caller names, else the role it works as. */
extern char *mf_actor(const char *named);

#endif							/* MF_CHECK_H */
