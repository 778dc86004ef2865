#!/bin/bash
# orders.sh: what orders must reach: submissions and steps beside the same rows
#	written plainly, at 8 clients, with synchronous commits.
#
# "Plainly" is the same tables and indexes with session_replication_role =
# replica, so that none of mesflow's triggers fires, and one statement that
# inserts the rows that submit_order left behind.
here=$(cd "$(dirname "$0")" && pwd)
bench=orders
. "$here/lib.sh"

seconds=${SECONDS_EACH:-8}
make_models
heading Orders

# rate SCRIPT [plain]: transactions a second of 8 clients.
rate()
{
	(cd "$scratch" && PGOPTIONS="${2:+-c session_replication_role=replica}" \
		"$PG_BIN/pgbench" -n -M prepared -c 8 -j 2 -T "$seconds" -f "$1" "$connection" >"$scratch/out" 2>&1) ||
		die "pgbench failed: $(head -n 8 "$scratch/out")"
	grep -q "number of failed transactions: 0 " "$scratch/out" || die "transactions failed: $(cat "$scratch/out")"
	sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$scratch/out"
}

# ---- submit_order -------------------------------------------------------------
model=$(sql -c "SELECT mesflow.upload_model(bench_variant(), 'bench.stl')")
sql -c "SELECT 1 / (state = 'measured')::int FROM mesflow.await_model('$model')" >/dev/null
cat >"$scratch/submit.sql" <<SQL
SELECT mesflow.submit_order('shop', gen_random_uuid()::text, '[{"model": "$model", "material": "pla", "process": "fdm", "quantity": 2}]');
SQL
sql -c "SELECT mesflow.submit_order('shop', 'the one to copy', '[{\"model\": \"$model\", \"material\": \"pla\", \"process\": \"fdm\", \"quantity\": 2}]')" >/dev/null

# The rows of that order as literals, without colons, which pgbench takes for
# variables; ids and numbers are drawn anew.
sql >"$scratch/plain.sql" <<'SQL'
CREATE FUNCTION pg_temp.literal(value text, type text) RETURNS text LANGUAGE sql AS $$
  SELECT coalesce('E''' || replace(replace(replace($1, '\', '\\'), '''', ''''''), ':', '\x3a') || '''', 'NULL') || '::' || $2
$$;
-- Every column of a row as a literal, but for those in `anew`.
CREATE FUNCTION pg_temp.inserted(tab regclass, r jsonb, anew jsonb) RETURNS text LANGUAGE sql AS $$
  SELECT format('INSERT INTO %s (%s) SELECT %s FROM ids', $1, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
                string_agg(coalesce($3 ->> a.attname, pg_temp.literal($2 ->> a.attname, format_type(a.atttypid, a.atttypmod))), ', ' ORDER BY a.attnum))
    FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
$$;
WITH o AS (SELECT * FROM mesflow.orders WHERE external_ref = 'the one to copy'),
     i AS (SELECT i.* FROM mesflow._order_items i, o WHERE i.order_id = o.id),
     q AS (SELECT q.* FROM mesflow._quotes q, i WHERE q.id = i.quote),
     e AS (SELECT e.* FROM mesflow.outbox e, o, q WHERE e.key IN (o.id::text, q.id::text))
SELECT 'WITH ids AS MATERIALIZED (SELECT mesflow._uuid7() AS o, mesflow._uuid7() AS q, ''p'' || nextval(''mesflow._order_numbers'')::text AS n)'
  || E',\nquote AS (' || (SELECT pg_temp.inserted('mesflow._quotes', to_jsonb(q), '{"id": "ids.q"}') FROM q) || ')'
  || E',\nitem AS (' || (SELECT pg_temp.inserted('mesflow._order_items', to_jsonb(i), '{"id": "mesflow._uuid7()", "order_id": "ids.o", "quote": "ids.q"}') FROM i) || ')'
  || (SELECT string_agg(format(E',\nevent%s AS (', e.id) || pg_temp.inserted('mesflow.outbox', to_jsonb(e), jsonb_build_object('event', 'mesflow._uuid7()',
                'id', 'nextval(''mesflow._outbox_ids'')', 'xid', 'pg_current_xact_id()', 'key', CASE WHEN e.order_id IS NULL THEN 'ids.q::text' ELSE 'ids.o::text' END,
                'order_id', CASE WHEN e.order_id IS NULL THEN 'NULL::uuid' ELSE 'ids.o' END)) || ')', '' ORDER BY e.id) FROM e)
  || E'\n' || (SELECT pg_temp.inserted('mesflow.orders', to_jsonb(o), '{"id": "ids.o", "number": "ids.n", "external_ref": "gen_random_uuid()::text"}') FROM o) || ';';
SQL
rate "$scratch/plain.sql" plain >/dev/null
rate "$scratch/submit.sql" >/dev/null
: >"$scratch/ours"; : >"$scratch/plainly"
for i in 1 2 3; do
	rate "$scratch/plain.sql" plain >>"$scratch/plainly"
	rate "$scratch/submit.sql" >>"$scratch/ours"
done
ours=$(median <"$scratch/ours")
plainly=$(median <"$scratch/plainly")
row "the rows of an order by one plain statement, 8 clients" "$(printf %.0f "$plainly")" "a second" ""
row "submit_order of one measured item, 8 clients" "$(printf %.0f "$ours")" "a second" ""
row "the same in percent" "$(awk "BEGIN {printf \"%.0f\", 100 * $ours / $plainly}")" % ">= 60 %"

# ---- steps --------------------------------------------------------------------
sql <<SQL
CREATE TABLE bench_orders (n int PRIMARY KEY, id uuid);
INSERT INTO bench_orders SELECT n, mesflow.submit_order('shop', 'step ' || n, '[{"model": "$model", "material": "pla", "process": "fdm"}]') FROM generate_series(0, 7999) n;
UPDATE mesflow.orders SET status = 'approved' WHERE id IN (SELECT id FROM bench_orders);
VACUUM ANALYZE;
SQL
cat >"$scratch/step.sql" <<'SQL'
\set n 8 * random(0, 999) + :client_id
UPDATE mesflow.orders SET status = CASE status WHEN 'approved' THEN 'on_hold' ELSE 'approved' END WHERE id = (SELECT id FROM bench_orders WHERE n = :n);
SQL
rate "$scratch/step.sql" >/dev/null
: >"$scratch/ours"; : >"$scratch/plainly"; : >"$scratch/cpu"
for i in 1 2 3; do
	before=$(server_cpu)
	plainly=$(rate "$scratch/step.sql" plain)
	between=$(server_cpu)
	ours=$(rate "$scratch/step.sql")
	after=$(server_cpu)
	echo "$plainly" >>"$scratch/plainly"
	echo "$ours" >>"$scratch/ours"
	awk "BEGIN {print 1000 * (($after - $between) / ($ours * $seconds) - ($between - $before) / ($plainly * $seconds))}" >>"$scratch/cpu"
done
ours=$(median <"$scratch/ours")
plainly=$(median <"$scratch/plainly")
row "UPDATE of a status without mesflow's triggers, 8 clients" "$(printf %.0f "$plainly")" "a second" ""
row "the same with them, an event each" "$(printf %.0f "$ours")" "a second" ""
row "the same in percent" "$(awk "BEGIN {printf \"%.0f\", 100 * $ours / $plainly}")" % ">= 65 %"
row "processor time per event" "$(printf %.0f "$(median <"$scratch/cpu")")" us ""
echo
