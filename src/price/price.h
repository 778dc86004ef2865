/*
 * price.h
 *		From facts and a catalog to a price.  Private to this folder.
 */
#ifndef MF_PRICE_H
#define MF_PRICE_H

#include "lines.h"
#include "row.h"

/* What is to be priced: the arguments of _price(), opened. */
typedef struct MfPriceRequest
{
	HeapTupleHeader facts;		/* mesflow.measurements, scaled */
	Datum		material_row;
	Datum		process_row;
	Datum		rates_json;
	Datum		options_json;
	MfRow		outcome;		/* mesflow._measurements, as measured */
	MfRow		material;
	MfRow		process;
	MfRow		partner;
	MfRow		list;
	MfRates		rates;
	Jsonb	   *options;
	double		scale;
	bool		rush;
	int			quantity;
} MfPriceRequest;

/* A column of _price, by its place. */
typedef enum MfPriceColumn
{
	MF_PRICE_STATE,
	MF_PRICE_UNIT_PRICE,
	MF_PRICE_NET,
	MF_PRICE_TAX,
	MF_PRICE_TOTAL,
	MF_PRICE_CURRENCY,
	MF_PRICE_BREAKDOWN,
	MF_PRICE_PRICE_LIST,
	MF_PRICE_LEAD_DAYS,
	MF_PRICE_EXPIRES_AT,
	MF_PRICE_ERROR_CODE,
	MF_PRICE_ERROR,
	MF_PRICE_COLUMNS
} MfPriceColumn;

/* A price, or why there is none. */
typedef struct MfPrice
{
	Datum		value[MF_PRICE_COLUMNS];
	bool		is_null[MF_PRICE_COLUMNS];
} MfPrice;

extern void mf_price_start(MfPrice *price);
extern void mf_price_find(MfPriceRequest *request, MfPrice *price);
extern void mf_price_set(MfPrice *price, MfPriceColumn column, Datum value);
extern void mf_price_set_text(MfPrice *price, MfPriceColumn column, const char *text);
extern void mf_price_refuse(MfPrice *price, const char *state, const char *code,
							const char *why,...) pg_attribute_printf(4, 5);

extern bool mf_list_in_force(const MfRow *partner, Datum *list);
extern Jsonb *mf_rates_in_force(const MfRow *list, Datum process, Datum material);

extern HeapTupleHeader mf_facts_scaled(const MfRow *outcome, double scale);
extern bool mf_obstacle_find(const MfPriceRequest *request, MfPrice *price);
extern bool mf_obstacle_review(const MfPriceRequest *request, Numeric total,
							   MfPrice *price);
extern bool mf_call_pricing(const MfPriceRequest *request, MfPrice *price);
extern void mf_sum_by_hand(const MfRow *list, int digits, int pieces,
						   Numeric unit_price, const char *why, MfPrice *price);
extern void mf_sum_up(const MfPriceRequest *request, Jsonb *json, MfPrice *price);

#endif							/* MF_PRICE_H */
