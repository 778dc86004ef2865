/*
 * wakeup.h
 *		Announcements; private to src/worker.
 */
#ifndef MF_WAKEUP_H
#define MF_WAKEUP_H

/* At commit of the current transaction: wake sessions that wait for news. */
extern void mf_wakeup_announce_at_commit(void);

#endif							/* MF_WAKEUP_H */
