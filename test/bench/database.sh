#!/bin/bash
# database.sh: what the database side must reach: quotes and jobs on a private
#	server with synchronous commits, measured by pgbench.
here=$(cd "$(dirname "$0")" && pwd)
bench=database
. "$here/lib.sh"

make_models
triangles=$(sql -c "SELECT (octet_length(bytes) - 84) / 50 FROM bench_base")
heading Database

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

# ---- pre-flight quotes ----------------------------------------------------------
# Two materials, a thousand quantities, five scales: what the worker's process
# spends on them, and how long the job takes from its first portion to its last.
sql -c "UPDATE mesflow.processes SET max_size_mm = NULL, review_above = NULL WHERE code = 'fdm'"
model=$(sql -c "SELECT id FROM mesflow.models WHERE filename = 'bench.stl' LIMIT 1")
cpu_ms()
{
	awk -v tick="$(getconf CLK_TCK)" '{sub(/^.*\) /, ""); print ($12 + $13) * 1000 / tick}' "/proc/$1/stat"
}
: >"$scratch/cpu"
: >"$scratch/wall"
for i in 1 2 3 4 5 6; do
	worker=$(sql -c "SELECT pid FROM mesflow.worker_status WHERE kind = 'pricing'")
	before=$(cpu_ms "$worker")
	job=$(sql -c "SELECT mesflow.preflight_quotes('$model', '{pla,petg}', '{fdm}', ARRAY(SELECT generate_series(${i}001, ${i}999 + 1)), '{0.5,0.8,1,2,3}')")
	until [ "$(sql -c "SELECT state FROM mesflow.price_jobs WHERE id = $job")" = "done" ]; do sleep 0.1; done
	after=$(cpu_ms "$worker")
	[ "$(sql -c "SELECT count(*) FROM mesflow._quotes WHERE preflight AND state = 'priced'")" = "${i}0000" ] || die "not all combinations were priced"
	if [ "$i" -gt 1 ]; then
		echo "$((after - before))" >>"$scratch/cpu"
		sql -c "SELECT extract(epoch FROM finishes_at - starts_at) * 1000 FROM mesflow.price_jobs WHERE id = $job" >>"$scratch/wall"
	fi
done
row "pre-flight of 10,000 combinations, the worker's processor time" "$(median <"$scratch/cpu")" ms "< 1000 ms"
row "the same, first portion to last" "$(printf %.0f "$(median <"$scratch/wall")")" ms ""
sql -c "DELETE FROM mesflow._quotes WHERE preflight"

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
