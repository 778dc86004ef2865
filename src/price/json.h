/*
 * json.h
 *		Pieces of jsonb, written and read.
 */
#ifndef MF_JSON_H
#define MF_JSON_H

#include "postgres.h"

#include "utils/jsonb.h"

extern void mf_json_push_key(JsonbParseState **state, const char *key, int length);
extern void mf_json_push_text(JsonbParseState **state, const char *content);
extern void mf_json_push_bool(JsonbParseState **state, bool content);
extern void mf_json_push_number(JsonbParseState **state, JsonbIteratorToken token,
								Numeric content);
extern bool mf_json_find(JsonbContainer *object, const char *key,
						 enum jbvType type, JsonbValue *value);
extern char *mf_json_text(JsonbContainer *object, const char *key);

#endif							/* MF_JSON_H */
