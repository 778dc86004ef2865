/*
 * asked.h
 *		What a caller asks for: items and customer, read from JSON.
 */
#ifndef MF_ORDER_ASKED_H
#define MF_ORDER_ASKED_H

#include "utils/jsonb.h"
#include "utils/uuid.h"

/* Most items of one order. */
#define MF_ITEMS_MAX	1000

typedef struct MfAskedItem
{
	bool		by_quote;		/* else by model */
	pg_uuid_t	quote;
	pg_uuid_t	model;
	char	   *material;
	char	   *process;
	int			quantity;
	Jsonb	   *options;
} MfAskedItem;

/* Columns of customers, without those that mesflow fills. */
typedef enum MfCustomerColumn
{
	MF_CUSTOMER_NAME,
	MF_CUSTOMER_EMAIL,
	MF_CUSTOMER_PHONE,
	MF_CUSTOMER_COMPANY,
	MF_CUSTOMER_TAX_ID,
	MF_CUSTOMER_LOCALE,
	MF_CUSTOMER_ADDRESS,
	MF_CUSTOMER_NOTE,
	MF_CUSTOMER_COLUMNS
} MfCustomerColumn;

typedef struct MfAskedCustomer
{
	Datum		value[MF_CUSTOMER_COLUMNS];
	bool		is_null[MF_CUSTOMER_COLUMNS];
} MfAskedCustomer;

/*
 * The items of an order.  MF400, naming what is wrong by its path, as in
 * items[2].quantity.
 */
extern MfAskedItem *mf_asked_items(Jsonb *json, int *count);

/* The customer of an order; false where there is none, or nothing about one. */
extern bool mf_asked_customer(Jsonb *json, MfAskedCustomer *customer);

/*
 * SHA-256 of what was asked for, the same however it is written: a missing
 * quantity is 1, missing options are {}.
 */
extern bytea *mf_asked_items_hash(const MfAskedItem *items, int count);
extern bytea *mf_asked_customer_hash(const MfAskedCustomer *customer);

#endif							/* MF_ORDER_ASKED_H */
