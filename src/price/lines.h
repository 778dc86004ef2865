/*
 * lines.h
 *		The lines of a breakdown, and the rates that they are made from.
 */
#ifndef MF_LINES_H
#define MF_LINES_H

#include "decimal.h"
#include "utils/jsonb.h"

/* Lines that one price may have; those of a company's function included. */
#define MF_MAX_LINES	1000

/* Per what a line counts. */
#define MF_PER_PIECE	"piece"
#define MF_PER_BATCH	"batch"

/* The rates that hold, as _rates() gives them. */
typedef struct MfRates
{
	Jsonb	   *json;
	int			digits;			/* decimals of the currency */
} MfRates;

typedef struct MfLine
{
	char	   *line;
	char	   *per;
	Numeric		quantity;
	char	   *unit;
	Numeric		rate;
	Numeric		amount;			/* quantity x rate, rounded */
	bool		public;
	char	   *why;
} MfLine;

typedef struct MfLines
{
	int			digits;
	int			count;
	int			room;
	MfLine	   *line;
	Numeric		sum;
} MfLines;

extern void mf_rates_open(MfRates *rates, Jsonb *json);
extern bool mf_rates_find(const MfRates *rates, const char *name, Numeric *value);
extern Numeric mf_rates_need(const MfRates *rates, const char *name);
extern Numeric mf_rates_share(const MfRates *rates, const char *name);
extern bool mf_rates_public(const MfRates *rates, const char *name);

extern void mf_lines_open(MfLines *lines, int digits);
extern void mf_lines_add(MfLines *lines, const char *line, const char *per,
						 Numeric quantity, const char *unit, Numeric rate,
						 bool public, const char *why,...)
			pg_attribute_printf(8, 9);
extern void mf_lines_add_rate(MfLines *lines, const MfRates *rates,
							  const char *line, const char *per,
							  Numeric quantity, const char *unit,
							  const char *rate, const char *why,...)
			pg_attribute_printf(8, 9);
extern void mf_lines_read(MfLines *lines, Jsonb *json);
extern Jsonb *mf_lines_to_jsonb(const MfLines *lines);

extern int	mf_currency_digits(const char *currency);

#endif							/* MF_LINES_H */
