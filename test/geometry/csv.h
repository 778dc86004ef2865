/*
 * csv.h
 *		A table in CSV, with quotes, and a line of column names; for tests.
 */
#ifndef MF_TEST_CSV_H
#define MF_TEST_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define CSV_COLUMNS	128

typedef struct Csv
{
	char	   *rest;			/* of the text, which is written to */
	int			columns;
	char	   *name[CSV_COLUMNS];
	char	   *value[CSV_COLUMNS];
} Csv;

/* Splits the next line into fields; how many, 0 at the end. */
static inline int
csv_split(Csv *csv, char **field)
{
	char	   *from = csv->rest;
	int			count = 0;

	if (*from == '\0')
		return 0;
	for (;;)
	{
		char	   *to = from;
		bool		quoted = false;
		char		end;

		if (count < CSV_COLUMNS)
			field[count++] = from;
		for (; *from != '\0' && (quoted ||
								 (*from != ',' && *from != '\n')); from++)
		{
			if (*from == '"' && quoted && from[1] == '"')
				*to++ = *from++;
			else if (*from == '"')
				quoted = !quoted;
			else if (*from != '\r' || quoted)
				*to++ = *from;
		}
		end = *from;
		if (end != '\0')
			from++;
		*to = '\0';
		if (end != ',')
			break;
	}
	csv->rest = from;
	return count;
}

/* Takes over the text, and reads the names. */
static inline void
csv_begin(Csv *csv, char *text)
{
	memset(csv, 0, sizeof(*csv));
	csv->rest = text;
	csv->columns = csv_split(csv, csv->name);
}

/* Reads the next row. */
static inline bool
csv_next(Csv *csv)
{
	return csv_split(csv, csv->value) == csv->columns;
}

/* A field of the row; a column that is not there is a mistake of the test. */
static inline const char *
csv_text(const Csv *csv, const char *name)
{
	for (int i = 0; i < csv->columns; i++)
		if (strcmp(csv->name[i], name) == 0)
			return csv->value[i];
	fprintf(stderr, "no column %s\n", name);
	exit(99);
}

static inline bool
csv_known(const Csv *csv, const char *name)
{
	return csv_text(csv, name)[0] != '\0';
}

static inline double
csv_number(const Csv *csv, const char *name)
{
	return strtod(csv_text(csv, name), NULL);
}

static inline bool
csv_true(const Csv *csv, const char *name)
{
	return strcmp(csv_text(csv, name), "True") == 0;
}

#endif							/* MF_TEST_CSV_H */
