/*
 * slot.h
 *		Slots of workers; private to src/worker.  README.md has the states.
 */
#ifndef MF_SLOT_H
#define MF_SLOT_H

#include "shmem.h"

/* A copy of the slot, consistent in itself. */
extern void mf_slot_read(MfWorkerKind kind, MfSlot *copy);

/* The name of a state in worker_status. */
extern const char *mf_slot_state_name(MfWorkerState state);

/* For the launcher. */
extern uint32 mf_slot_reserve(MfWorkerKind kind, Oid database);
extern void mf_slot_give_back(MfWorkerKind kind, uint32 generation,
							  const char *why);
extern void mf_slot_stop(MfWorkerKind kind);
extern void mf_slot_set_off(MfWorkerKind kind, const char *why);
extern void mf_slot_hurry(MfWorkerKind kind);

/* For the worker that owns the slot. */
extern bool mf_slot_attach(MfWorkerKind kind, uint32 generation);
extern void mf_slot_set_state(MfWorkerState state, const char *current);
extern void mf_slot_set_error(const char *text);
extern void mf_slot_leave(MfWorkerState end, const char *why, int pause_ms);

/* Doorbells; wakeup.c. */
extern void mf_doorbell_own(MfWorkerKind kind);
extern void mf_doorbell_disown(MfWorkerKind kind);
extern bool mf_doorbell_heard(MfWorkerKind kind);
extern void mf_doorbell_ring(MfWorkerKind kind);
extern void mf_doorbell_nudge(MfWorkerKind kind);

/*
 * Waiting; wait.c.  A descriptor is added to what the worker waits for: *ready
 * becomes true when it can be read.  Remove it before it is closed.
 */
extern void mf_wait(long timeout_ms);
extern void mf_wait_watch(int fd, bool *ready);
extern void mf_wait_unwatch(int fd);

#endif							/* MF_SLOT_H */
