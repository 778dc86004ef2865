/*
 * uuid.c
 *		Random identifiers: UUIDs of version 7 and tokens.
 */
#include "postgres.h"

#include <time.h>

#include "fmgr.h"
#include "mesflow.h"
#include "port/pg_bswap.h"
#include "uuid.h"

#define RANDOM_A_BITS	12
#define RANDOM_B_BITS	62
#define RANDOM_A_MASK	((UINT64CONST(1) << RANDOM_A_BITS) - 1)
#define RANDOM_B_MASK	((UINT64CONST(1) << RANDOM_B_BITS) - 1)

PG_FUNCTION_INFO_V1(mesflow_uuid7);
PG_FUNCTION_INFO_V1(mesflow_token);

static void
fill_random(void *bytes, size_t length)
{
	if (!pg_strong_random(bytes, length))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not get random bytes")));
}

/*
 * Random bytes for ids, fetched some at a time: each fetch costs as much as
 * the rest of an id.  Used ones are wiped.  A process forked off starts with
 * its own, for nothing makes ids before it is one.
 */
static void
fill_from_pool(void *bytes, size_t length)
{
	static uint8 pool[256];
	static size_t left = 0;

	Assert(length <= sizeof(pool));
	if (left < length)
	{
		fill_random(pool, sizeof(pool));
		left = sizeof(pool);
	}
	left -= length;
	memcpy(bytes, pool + left, length);
	memset(pool + left, 0, length);
}

static uint64
unix_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64) now.tv_sec * 1000 + (uint64) now.tv_nsec / 1000000;
}

/*
 * A UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix time in
 * milliseconds, then 74 random bits in two fields.
 *
 * Ids made by one process never go backwards (RFC 9562, section 6.2, method
 * 2): within a millisecond, and while the clock is behind the last id, the 74
 * bits are taken as one number and raised by a random amount.  A fresh
 * number's top bit is zero, so that it does not overflow in practice; where
 * it does, the time moves on by a millisecond.
 */
pg_uuid_t
mf_uuid7(void)
{
	static uint64 last_time = 0;
	static uint64 last_a = 0;
	static uint64 last_b = 0;

	uint64		now = unix_milliseconds();
	uint64		high;
	uint64		low;
	pg_uuid_t	uuid;

	if (now <= last_time)
	{
		uint32		step;

		fill_from_pool(&step, sizeof(step));
		last_b += (uint64) step + 1;
		last_a += last_b >> RANDOM_B_BITS;
		last_b &= RANDOM_B_MASK;
		if (last_a > RANDOM_A_MASK)
			now = last_time + 1;
	}
	if (now > last_time)
	{
		uint64		random[2];

		fill_from_pool(random, sizeof(random));
		last_time = now;
		last_a = random[0] & (RANDOM_A_MASK >> 1);
		last_b = random[1] & RANDOM_B_MASK;
	}

	/* time, version 7, field a; variant 10, field b; all big-endian */
	high = pg_hton64(last_time << 16 | UINT64CONST(7) << RANDOM_A_BITS | last_a);
	low = pg_hton64(UINT64CONST(2) << RANDOM_B_BITS | last_b);

	memcpy(&uuid.data[0], &high, sizeof(high));
	memcpy(&uuid.data[8], &low, sizeof(low));
	return uuid;
}

Datum
mesflow_uuid7(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	*uuid = mf_uuid7();
	PG_RETURN_UUID_P(uuid);
}

/* 64 random bits: the proof that a claim is still the caller's. */
Datum
mesflow_token(PG_FUNCTION_ARGS)
{
	int64		token;

	fill_random(&token, sizeof(token));
	PG_RETURN_INT64(token);
}
