/*
 * options.h
 *		What a quote asks for.
 */
#ifndef MF_OPTIONS_H
#define MF_OPTIONS_H

#include "row.h"
#include "utils/jsonb.h"

extern Jsonb *mf_options_full(Datum process, const MfRow *row, const Jsonb *options);

#endif							/* MF_OPTIONS_H */
