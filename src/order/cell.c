/*
 * cell.c
 *		Cells of a table on a terminal: of a width, whatever is in them.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#define ELLIPSIS	"\xE2\x80\xA6"

PG_FUNCTION_INFO_V1(mesflow_cell);

/*
 * As much of a text as `width` columns hold, and an ellipsis where that is
 * not all of it.  Wide characters take two columns, combining ones none;
 * control characters become spaces.  Returns the columns taken.
 */
static int
fill(StringInfo cell, const char *value, int width)
{
	int			columns = 0;
	int			fitting = 0;	/* columns that leave room for an ellipsis */
	int			fitting_bytes = 0;

	for (; *value != '\0'; value += pg_mblen(value))
	{
		int			wide = pg_dsplen(value);

		if (wide >= 0)
			appendBinaryStringInfo(cell, value, pg_mblen(value));
		else
		{
			appendStringInfoChar(cell, ' ');
			wide = 1;
		}
		columns += wide;
		if (columns > width)
		{
			cell->len = fitting_bytes;
			appendStringInfoString(cell, ELLIPSIS);
			return fitting + 1;
		}
		if (columns < width)
		{
			fitting = columns;
			fitting_bytes = cell->len;
		}
	}
	return columns;
}

/*
 * A text in a cell of this width (1 or more), on its right side or on its
 * left; an empty cell for NULL.
 */
Datum
mesflow_cell(PG_FUNCTION_ARGS)
{
	int			width = PG_GETARG_INT32(1);
	bool		right = PG_GETARG_BOOL(2);
	StringInfoData cell;
	StringInfoData blank;
	int			columns = 0;

	initStringInfo(&cell);
	initStringInfo(&blank);
	if (!PG_ARGISNULL(0))
		columns = fill(&cell, text_to_cstring(PG_GETARG_TEXT_PP(0)), width);
	appendStringInfoSpaces(&blank, Max(width - columns, 0));
	if (right)
		PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s%s", blank.data,
												  cell.data)));
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s%s", cell.data,
											  blank.data)));
}
