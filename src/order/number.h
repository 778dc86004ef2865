/*
 * number.h
 *		Numbers of orders.
 */
#ifndef MF_ORDER_NUMBER_H
#define MF_ORDER_NUMBER_H

#include "postgres.h"

extern char *mf_order_number(int64 value);

#endif							/* MF_ORDER_NUMBER_H */
