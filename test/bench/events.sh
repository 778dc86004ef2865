#!/bin/bash
# events.sh: what reading the outbox costs: events a second of one reader, and
#	a batch beside a transaction that has been open for long.
here=$(cd "$(dirname "$0")" && pwd)
bench=events
. "$here/lib.sh"

heading Events

# events NUMBER: so many in one transaction, with bodies of 600 bytes.  The
# transaction has its id before the first number is drawn, as writers have.
events()
{
	sql >/dev/null <<SQL
BEGIN;
SELECT pg_current_xact_id();
INSERT INTO mesflow.outbox (id, event, type, key, at, body, xid, origin, slot)
  SELECT nextval('mesflow._outbox_ids'), gen_random_uuid(), 'bench.event', n::text, clock_timestamp(), repeat('x', 600), pg_current_xact_id(),
         mesflow._origin(), mesflow._ring_slot(now())
    FROM generate_series(1, $1) n;
COMMIT;
SQL
}

# ---- one reader ---------------------------------------------------------------
sql -c "SELECT mesflow.create_consumer('fast')" >/dev/null
events 1000000
sql -c "VACUUM ANALYZE mesflow.outbox"

# The reader goes over all of them, and it did not happen.
drain()
{
	sql <<SQL 2>&1 | sed -n 's/.*NOTICE: *//p'
BEGIN;
DO \$\$
DECLARE
  began timestamptz := clock_timestamp();
  events bigint := mesflow._drain_consumer('fast');
BEGIN
  IF events <> 1000000 THEN
    RAISE EXCEPTION '% events', events;
  END IF;
  RAISE NOTICE '%', round(events / extract(epoch FROM clock_timestamp() - began));
END
\$\$;
ROLLBACK;
SQL
}

drain >/dev/null
row "events a second of one reader, 1,000,000 events" "$(for i in 1 2 3 4 5; do drain; done | median)" "" ">= 300,000"

# ---- batches, alone and beside an old transaction ---------------------------------
cat >"$scratch/batch.sql" <<'SQL'
BEGIN;
SELECT count(*) FROM mesflow.consume('batch', 100);
SELECT 1 / (mesflow.ack('batch') = 100)::int;
COMMIT;
SQL
echo "SELECT count(*) FROM mesflow.consume('idle', 100);" >"$scratch/idle.sql"
echo "SELECT pg_current_xact_id();" >"$scratch/later.sql"

# times: of a batch of 100, and of a look that finds nothing.
times()
{
	sql -c "SELECT mesflow.create_consumer('batch'), mesflow.create_consumer('idle')" >/dev/null
	events 40000
	sql -c "VACUUM mesflow.outbox" -c "CHECKPOINT"
	latencies "$scratch/batch.sql" -c 1 -t 50 >/dev/null
	latencies "$scratch/batch.sql" -c 1 -t 300 | median >"$scratch/batch"
	sql -c "SELECT mesflow._drain_consumer('idle')" -c "SELECT mesflow._drain_consumer('idle')" >/dev/null
	latencies "$scratch/idle.sql" -c 1 -t 50 >/dev/null
	latencies "$scratch/idle.sql" -c 1 -t 1000 | median >"$scratch/idle"
	sql -c "SELECT mesflow.drop_consumer('batch'), mesflow.drop_consumer('idle')" >/dev/null
}

times
row "batch of 100 events, consumed and acked" "$(cat "$scratch/batch")" ms ""
row "consume() that finds nothing" "$(cat "$scratch/idle")" ms ""

# It has written events, and then come 100,000 transactions.
mkfifo "$scratch/open"
sql <"$scratch/open" >/dev/null &
exec 3>"$scratch/open"
echo "BEGIN; SELECT mesflow.emit('bench.old', n::text, '{}') FROM generate_series(1, 1000) n;" >&3
until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND backend_xid IS NOT NULL")" = 1 ]; do sleep 0.1; done
PGOPTIONS="-c synchronous_commit=off" latencies "$scratch/later.sql" -c 4 -j 2 -t 25000 >/dev/null
times
row "the same batch beside an old transaction, after 100,000 others" "$(cat "$scratch/batch")" ms "no more than above"
row "consume() that finds nothing, beside it" "$(cat "$scratch/idle")" ms "no more than above"
exec 3>&-
wait
echo
