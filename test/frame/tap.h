/*
 * tap.h
 *		What the tests of the frames share: results as TAP, and telling how
 *		many descriptors are open.
 */
#ifndef MF_TEST_FRAME_TAP_H
#define MF_TEST_FRAME_TAP_H

#include <stdbool.h>
#include <sys/types.h>

/* One result; the text as printf has it.  Returns `good`. */
extern bool ok(bool good, const char *text,...)
			__attribute__((format(printf, 2, 3)));

/* `count` results that could not be had here, and why. */
extern void skip(int count, const char *why);

/* The plan; the status to exit with. */
extern int	done_testing(void);

/* How many descriptors this process has open. */
extern int	count_descriptors(void);

/*
 * Path of `name` in the folder of the running program; valid until the next
 * call.
 */
extern const char *beside(const char *argv0, const char *name);

/* Sleeps a millisecond, for loops that wait for another process. */
extern void pause_briefly(void);

/* Waits for a child to end, at most a minute; its status as waitpid has it. */
extern int	wait_for(pid_t pid);

/* A repeatable pseudo-random number (xorshift64*; Vigna 2016). */
extern unsigned long next_random(unsigned long *state);

#endif							/* MF_TEST_FRAME_TAP_H */
