/*
 * tap.h
 *		Test Anything Protocol for plain C programs.
 */
#ifndef MF_TEST_TAP_H
#define MF_TEST_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int	tap_count = 0;
static int	tap_failed = 0;

/* One test. */
static inline bool
__attribute__((format(printf, 2, 3)))
ok(bool good, const char *format,...)
{
	va_list		args;

	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	tap_failed += !good;
	return good;
}

/* One test that cannot be made here. */
static inline void
skip(const char *what, const char *why)
{
	printf("ok %d - %s # skip %s\n", ++tap_count, what, why);
}

/* The plan, last; returns main's result. */
static inline int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed > 0;
}

#endif							/* MF_TEST_TAP_H */
