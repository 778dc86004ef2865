/*
 * quote.h
 *		A quote that is being made.  Private to this folder.
 */
#ifndef MF_QUOTE_H
#define MF_QUOTE_H

#include "datatype/timestamp.h"
#include "price.h"

/* Arguments, by their places. */
enum
{
	MF_ASKED_MODEL,
	MF_ASKED_MATERIAL,
	MF_ASKED_PROCESS,
	MF_ASKED_QUANTITY,
	MF_ASKED_OPTIONS,
	MF_ASKED_PARTNER,
	MF_ASKED_TRACEPARENT,
	MF_ASKED_COLUMNS
};

typedef struct MfQuote
{
	NullableDatum asked[MF_ASKED_COLUMNS];
	MfPriceRequest request;		/* its rows, quantity and options are set */
	Datum		correlation;
	TimestampTz asked_at;
	bool		measured;
} MfQuote;

extern bool mf_ahead_take(const MfQuote *quote, Datum *id);

#endif							/* MF_QUOTE_H */
