/*
 * printing.h
 *		What printing a piece takes, from its layers and the process's printer.
 */
#ifndef MF_PRINTING_H
#define MF_PRINTING_H

#include "formula.h"
#include "machine/print.h"

/* One piece, rounded once. */
typedef struct MfPrinting
{
	MfPrintSettings settings;
	double		time_factor;
	Numeric		made;			/* cm3 deposited, supports not counted */
	const char *made_text;
	Numeric		minutes;
	const char *minutes_text;
} MfPrinting;

extern bool mf_printing_find(const MfFormula *f, double larger, MfPrinting *printing);
extern void mf_printing_add_support(MfPrinting *printing, Numeric volume);

#endif							/* MF_PRINTING_H */
