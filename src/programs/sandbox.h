/*
 * sandbox.h
 *		Locking a program in before it looks at a stranger's bytes.
 */
#ifndef MF_SANDBOX_H
#define MF_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

/* Can this kernel confine a process the way mf_sandbox_enter does? */
extern bool mf_sandbox_available(void);

/*
 * Resource limits: memory (address space on top of what is mapped now),
 * processor seconds, no new files, no new processes.
 */
extern bool mf_sandbox_limit(uint64_t memory, uint32_t cpu_seconds);

/*
 * The system-call filter: from here on the process can read, write and
 * receive on what is open, manage its own memory, tell the time and exit.
 * Anything else kills it.  Call it after all threads have been started.
 */
extern bool mf_sandbox_enter(void);

#endif							/* MF_SANDBOX_H */
