/*
 * sender_program.h
 *		What the files of mesflow-sender share.
 */
#ifndef MF_SENDER_PROGRAM_H
#define MF_SENDER_PROGRAM_H

#include <sys/types.h>

#include "../frame/sending.h"

/*
 * Serves the process that has started this one, on the descriptor that was
 * inherited.  Ends when `parent` does.  Returns the exit status.
 */
extern int	mf_sender_serve(pid_t parent);

/*
 * Sends one request by hand and waits for what comes of it.  NULL, or why it
 * could not even be tried.
 */
extern const char *mf_sender_send_once(const MfTarget *target,
									   const MfRequest *request,
									   MfOutcome *outcome);

#endif							/* MF_SENDER_PROGRAM_H */
