/*
 * flow.h
 *		The statuses of orders and the steps between them, remembered by a
 *		session.
 */
#ifndef MF_FLOW_H
#define MF_FLOW_H

/* A status, as order_statuses has it. */
typedef struct MfStatus
{
	char		name[NAMEDATALEN];
	bool		terminal;
	bool		hold;
	bool		changeable;
	bool		workable;		/* there is work on the floor */
	bool		expects;		/* some system must confirm the order */
} MfStatus;

/* How a step between two statuses stands. */
typedef enum MfFlowAnswer
{
	MF_FLOW_ALLOWED,
	MF_FLOW_NO_STEP,			/* not from here to there */
	MF_FLOW_NO_ROLE,			/* not by this role */
	MF_FLOW_OURS				/* only when mesflow prices */
} MfFlowAnswer;

/* NULL where there is no such status. */
extern const MfStatus *mf_flow_status(const char *name);
extern MfFlowAnswer mf_flow_step(const char *from, const char *to, bool ours);

/* The statuses with work on the floor: an array of texts. */
extern Datum mf_flow_workable(void);

/* For hints: where an order can go from here, where a status can be. */
extern char *mf_flow_next(const char *from);
extern char *mf_flow_statuses(void);

#endif							/* MF_FLOW_H */
