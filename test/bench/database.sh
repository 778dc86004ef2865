#!/bin/bash
# database.sh: what the database side must reach: quotes and jobs on a private
#	server with synchronous commits, measured by pgbench.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../tools/lib.sh"

find_postgres
work=$TOP/build/bench-database
scratch=$(new_place)
finish()
{
	"$TOP/tools/cluster" stop "$work" >/dev/null 2>&1 || true
	rm -rf "$scratch"
}
trap finish EXIT

lines=$("$TOP/tools/cluster" start "$work" auto)
connection=$(sed -n "s/^psql '\(.*\)'$/\1/p" <<<"$lines")

sql()
{
	psql -X -q -At -v ON_ERROR_STOP=1 -d "$connection" "$@"
}

# The middle of numbers on standard input.
median()
{
	sort -n | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}

# row WHAT VALUE UNIT MUST
row()
{
	printf '| %s | %s %s | %s |\n' "$@"
}

# latencies SCRIPT OPTIONS...: pgbench's times of each transaction, in ms.
latencies()
{
	local script=$1

	shift
	rm -f "$scratch"/log.*
	(cd "$scratch" && "$PG_BIN/pgbench" -n -f "$script" -l --log-prefix=log "$@" "$connection" >"$scratch/out" 2>&1) ||
		die "pgbench failed: $(grep -v "^number" "$scratch/out" | head -n 8)"
	cat "$scratch"/log.* | awk '{print $3 / 1000}'
}

# A model of 30,000 triangles, and variants that differ in the header's text,
# which is enough to make them other models.
gcc -O2 -o "$scratch/torus" "$here/geometry_torus.c" -lm
"$scratch/torus" 100 150 ordered >"$scratch/base.stl"
chmod 644 "$scratch/base.stl"
sql <<SQL
CREATE TABLE bench_base AS SELECT pg_read_binary_file('$scratch/base.stl') AS bytes;
CREATE SEQUENCE bench_n;
CREATE FUNCTION bench_variant() RETURNS bytea LANGUAGE sql VOLATILE AS
  \$\$ SELECT overlay(bytes PLACING convert_to(lpad(nextval('bench_n')::text, 20, '.'), 'UTF8') FROM 1) FROM bench_base \$\$;
SQL
triangles=$(sql -c "SELECT (octet_length(bytes) - 84) / 50 FROM bench_base")

echo "## Database"
echo
echo "synchronous_commit on, fsync on; $(sql -c "SELECT setting || ' pricing slots' FROM pg_settings WHERE name = 'mesflow.pricing_slots'")."
echo
echo "| what | measured | must reach |"
echo "|---|---|---|"

# ---- upload to priced quote -------------------------------------------------
# A model is named by its number, so that a fresh transaction can ask for its
# quote as a shop would.
cat >"$scratch/upload.sql" <<'SQL'
SELECT quote_literal(mesflow.upload_model(bench_variant(), 'bench.stl')) AS model \gset
SELECT quote_literal(mesflow.request_quote(:model, 'pla', 'fdm')) AS quote \gset
SELECT 1 / (state = 'priced')::int FROM mesflow.await_quote(:quote);
SQL
latencies "$scratch/upload.sql" -c 1 -t 20 >/dev/null
value=$(printf %.2f "$(latencies "$scratch/upload.sql" -c 1 -t 200 | median)")
row "upload to priced quote, $triangles triangles, idle server" "$value" ms "< 50 ms"

# ---- commit to the program's start --------------------------------------------
# From the commit's own time stamp to the moment the job goes out to its
# program, which the worker logs at level debug1.
sql -c "ALTER SYSTEM SET track_commit_timestamp = on" -c "ALTER SYSTEM SET log_min_messages = debug1"
place=$(cat "$work/place")
as_user "$PG_BIN/pg_ctl" -D "$place/data" -w -m fast -l "$place/log/debug.log" restart >/dev/null
until [ "$(sql -c "SELECT state FROM mesflow.worker_status WHERE kind = 'pricing'" 2>/dev/null)" = idle ]; do sleep 0.2; done
cat >"$scratch/tiny.sql" <<'SQL'
SELECT mesflow.upload_model(substring(bench_variant() FOR 80) || '\x0c000000' || substring((SELECT bytes FROM bench_base) FROM 85 FOR 600), 'tiny.stl') AS model \gset
SELECT 1 / (state = 'measured')::int FROM mesflow.await_model(':model');
SQL
latencies "$scratch/tiny.sql" -c 1 -t 20 >/dev/null
latencies "$scratch/tiny.sql" -c 1 -t 300 >/dev/null
as_user cat "$place/log/debug.log" | sed -n 's/.*DEBUG:  job \([0-9]*\) sent to mesflow-geometry (PID [0-9]*) at \(.*\)$/\1\t\2/p' >"$scratch/sent"
value=$(sql <<SQL | median
CREATE TEMP TABLE sent (job bigint, at timestamptz);
\\copy sent FROM '$scratch/sent'
SELECT extract(epoch FROM s.at - pg_xact_commit_timestamp(m.xmin)) * 1000
  FROM sent s JOIN mesflow.price_jobs j ON j.id = s.job JOIN mesflow._models m ON m.id = j.model WHERE m.filename = 'tiny.stl';
SQL
)
row "commit to the start of the program's work" "$(printf %.2f "$value")" ms "< 2 ms"
sql -c "ALTER SYSTEM RESET log_min_messages" -c "SELECT pg_reload_conf()" >/dev/null

# ---- quotes for measured models -------------------------------------------------
echo "SELECT mesflow.request_quote('$(sql -c "SELECT id FROM mesflow.models WHERE filename = 'bench.stl' LIMIT 1")', 'pla', 'fdm', 3);" >"$scratch/known.sql"
latencies "$scratch/known.sql" -c 1 -t 500 >/dev/null
value=$(latencies "$scratch/known.sql" -c 1 -t 3000 | median)
row "quote for a measured model, one session" "$value" ms "< 1 ms"

set_based()
{
	sql <<SQL
DO \$\$
DECLARE
  model uuid := (SELECT id FROM mesflow.models WHERE filename = 'bench.stl' LIMIT 1);
  began timestamptz := clock_timestamp();
BEGIN
  PERFORM mesflow.request_quote(model, 'pla', 'fdm', 3) FROM generate_series(1, 5000);
  RAISE NOTICE '%', 5000 / extract(epoch FROM clock_timestamp() - began);
END
\$\$;
SQL
}
set_based 2>/dev/null
value=$(for i in 1 2 3 4 5; do set_based 2>&1 | sed -n 's/.*NOTICE: *//p'; done | median)
row "quotes a second, one set-based statement of 5,000" "$(printf %.0f "$value")" "" ">= 5,000"

# ---- quotes for unmeasured models while all slots are busy -------------------------
# A model of 10 million triangles in seven units is seven pieces of work for the
# slots; behind them wait small ones that nobody has measured.
"$scratch/torus" 2000 2500 ordered >"$scratch/large.stl"
chmod 644 "$scratch/large.stl"
sql >/dev/null <<SQL
CREATE TABLE bench_unmeasured (n int PRIMARY KEY, model uuid);
ALTER SYSTEM SET mesflow.pricing_slots = 0;
SELECT pg_reload_conf();
DO \$\$
DECLARE
  piece constant int := 64 * 1024 * 1024;
  size constant bigint := (pg_stat_file('$scratch/large.stl')).size;
  upload uuid;
  u text;
BEGIN
  FOREACH u IN ARRAY ARRAY['um', 'mm', 'cm', 'm', 'inch', 'ft', NULL] LOOP
    upload := mesflow.begin_upload('large.stl', size, u);
    FOR i IN 0 .. (size - 1) / piece LOOP
      PERFORM mesflow.append_upload(upload, i * piece, pg_read_binary_file('$scratch/large.stl', i * piece, least(piece, size - i * piece)));
    END LOOP;
    PERFORM mesflow.finish_upload(upload);
  END LOOP;
END
\$\$;
INSERT INTO bench_unmeasured
  SELECT n, mesflow.upload_model(substring(bench_variant() FOR 80) || '\x0c000000' || substring((SELECT bytes FROM bench_base) FROM 85 FOR 600), 'waiting.stl')
    FROM generate_series(1, 20000) n;
ANALYZE bench_unmeasured;
SQL
sql -c "ALTER SYSTEM RESET mesflow.pricing_slots" -c "SELECT pg_reload_conf()" >/dev/null
slots=$(sql -c "SHOW mesflow.pricing_slots")
until [ "$(sql -c "SELECT count(*) FROM mesflow.price_jobs WHERE state = 'running'")" -ge "$slots" ]; do sleep 0.2; done
cat >"$scratch/pending.sql" <<'SQL'
\set n random(1, 20000)
SELECT mesflow.request_quote((SELECT model FROM bench_unmeasured WHERE n = :n), 'pla', 'fdm');
SQL
value=$(latencies "$scratch/pending.sql" -c 8 -j 2 -T 4 | median)
pending=$(sql -c "SELECT count(*) FROM mesflow.quotes WHERE state = 'pending'")
running=$(sql -c "SELECT count(*) FROM mesflow.price_jobs j JOIN mesflow.models m ON m.id = j.model WHERE j.state = 'running' AND m.filename = 'large.stl'")
[ "$running" -ge "$slots" ] || die "the slots were not busy to the end ($running of $slots)"
row "request_quote for an unmeasured model, 8 clients, all slots busy, $pending quotes waiting" "$value" ms "< 5 ms"
echo
