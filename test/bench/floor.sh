#!/bin/bash
# floor.sh: what the floor must reach: pages of the dispatch list and of orders
#	among 1,000,000 and 10,000,000 closed orders, what dashboards cost a step
#	of an order, and claims; beside what companies write by hand, on tables of
#	their own (plain_*) in the same run.
#
#	FLOOR_SMALL	not empty: a hundredth of it, to see that it runs
#
# Closed orders and their items are loaded by COPY as history is: without
# triggers, all indexes in place.  Open orders come through submit_order.
here=$(cd "$(dirname "$0")" && pwd)
bench=floor
. "$here/lib.sh"

if [ -n "${FLOOR_SMALL:-}" ]; then
	few=10000 many=100000		# closed orders
	single=2000 double=500 quoted=800	# open orders: with one item, two, none approved
	plain=10000
	times=200 far=5 pairs=2 seconds=1
	claims=50 cycles=20
else
	few=1000000 many=10000000
	single=35000 double=15000 quoted=8000
	plain=1000000
	times=5000 far=100 pairs=5 seconds=6
	claims=1500 cycles=300
fi
steps=$quoted		# orders that steps are made with, of each kind

sql -c "ALTER SYSTEM SET max_wal_size = '3GB'" -c "SELECT pg_reload_conf()" >/dev/null
make_models

# ---- history -----------------------------------------------------------------

# load FROM TO: closed orders with an item each, one every nine seconds up to
# ten days ago; those before FROM are later ones.
load()
{
	local rows

	rows="SELECT n, CASE WHEN n % 10 = 0 THEN 'acme' ELSE 'shop' END AS partner, CASE WHEN n % 25 = 0 THEN 'cancelled' ELSE 'closed' END AS status,
	             date_trunc('day', now()) - interval '10 days' - interval '9 s' * ($2 - n + $1 - 1) AS at,
	             '0' || to_hex((extract(epoch FROM date_trunc('day', now()) - interval '10 days') * 1000)::bigint - 9000 * ($2 - n + $1 - 1)) AS ms,
	             to_hex(x'8000000000000000'::bigint + n) AS low
	        FROM generate_series($1::bigint, $2) n"
	sql -c "COPY (SELECT ms || '7000' || low, (200000000 + n) || mesflow._damm((200000000 + n)::text), partner, 'WEB-' || lpad(n::text, 9, '0'), status,
	                     at + interval '5 days', 9, 100, 20, 120, 'EUR', at, at + interval '7 days', at + interval '5 days', ms || '7001' || low, 'bench',
	                     'RB' || lpad(n::text, 10, '0') || 'AT', '\\x00', status
	                FROM ($rows) h) TO STDOUT" |
		PGOPTIONS="-c session_replication_role=replica" sql -c "COPY mesflow.orders
			(id, number, partner, external_ref, status, status_since, event_seq, net, tax, total, currency, created_at, due_at, closed_at, correlation_id,
			 status_by, tracking, asked_hash, closed_as) FROM STDIN" &
	sql -c "COPY (SELECT ms || '7002' || low, ms || '7000' || low, 1, ms || '7003' || low FROM ($rows) h) TO STDOUT" |
		PGOPTIONS="-c session_replication_role=replica" sql -c "COPY mesflow._order_items (id, order_id, position, quote) FROM STDIN"
	wait $! || die "the history is not loaded"
	sql -c "VACUUM ANALYZE mesflow.orders" -c "VACUUM ANALYZE mesflow._order_items" -c "CHECKPOINT"
}

load 1 $few

# ---- open orders ---------------------------------------------------------------
sql >/dev/null <<SQL
CREATE TABLE bench_models AS SELECT partner, mesflow.upload_model(bench_variant(), 'bench.stl', partner => partner) AS model FROM (VALUES ('shop'), ('acme')) p (partner);
SELECT 1 / (state = 'measured')::int FROM bench_models, mesflow.await_model(model);
CREATE TABLE bench_steps (kind text, n int, id uuid, PRIMARY KEY (kind, n));
INSERT INTO mesflow.operators (code, name) SELECT 'op' || n, 'Operator ' || n FROM generate_series(0, 7) n;

-- Every twentieth is more urgent than others.
CREATE PROCEDURE bench_submit(kind text, orders int, items text, goal text) LANGUAGE plpgsql AS \$\$
BEGIN
  FOR i IN 0 .. orders - 1 BY 1000 LOOP
    INSERT INTO bench_steps
      SELECT kind, n, mesflow.submit_order(m.partner, kind || ' ' || n, replace(items, 'MODEL', m.model::text)::jsonb)
        FROM generate_series(i, least(i + 999, orders - 1)) n JOIN bench_models m ON m.partner = CASE WHEN n % 10 = 0 THEN 'acme' ELSE 'shop' END;
    UPDATE mesflow.orders o SET priority = CASE WHEN s.n % 20 = 0 THEN 1 + s.n / 20 % 3 ELSE 0 END, status = goal
      FROM bench_steps s WHERE o.id = s.id AND s.kind = \$1 AND s.n BETWEEN i AND i + 999;
    COMMIT;
  END LOOP;
END
\$\$;
CALL bench_submit('single', $single, '[{"model": "MODEL", "material": "pla", "process": "fdm"}]', 'approved');
CALL bench_submit('double', $double, '[{"model": "MODEL", "material": "pla", "process": "fdm"}, {"model": "MODEL", "material": "resin", "process": "sla"}]', 'approved');
CALL bench_submit('quoted', $quoted, '[{"model": "MODEL", "material": "pla", "process": "fdm"}]', 'priced');
VACUUM ANALYZE;
CHECKPOINT;
SQL
listed=$(sql -c "SELECT count(*) FROM mesflow.dashboard_dispatch")
[ "$listed" = $((single + 2 * double)) ] || die "$listed work orders are on the list"

# ---- pages -----------------------------------------------------------------------
sql <<'SQL'
-- The token of a page, found by walking there; every page before is full, and no row comes twice.
CREATE FUNCTION bench_walk(page text, key text, filters jsonb, pages int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  after text;
  rows text[];
  seen text[] := '{}';
BEGIN
  FOR i IN 2 .. pages LOOP
    EXECUTE format('SELECT array_agg(%I::text), max(next) FROM mesflow.%I($1, $2)', key, page) INTO rows, after USING after, filters;
    IF after IS NULL OR cardinality(rows) <> 50 OR rows && seen THEN
      RAISE 'page % of % %: % rows', i - 1, page, filters, cardinality(rows);
    END IF;
    seen := seen || rows;
  END LOOP;
  RETURN after;
END
$$;
-- Buffers of a page in a session that has asked before, and rows that were read by scanning a table.
CREATE FUNCTION bench_buffers(page text, after text, filters jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
  scanned bigint;
BEGIN
  FOR i IN 1 .. 10 LOOP
    EXECUTE format('EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM mesflow.%I(%L, %L)', page, after, filters) INTO plan;
  END LOOP;
  IF (plan #>> '{0,Plan,Actual Rows}')::numeric <> 50 THEN
    RAISE '% % has % rows', page, filters, plan #>> '{0,Plan,Actual Rows}';
  END IF;
  scanned := sum(seq_tup_read) FROM pg_stat_xact_all_tables
              WHERE schemaname = 'mesflow' AND relname IN ('orders', '_order_items', '_work_orders', 'dashboard_orders', 'dashboard_dispatch');
  RETURN (plan #>> '{0,Plan,Shared Hit Blocks}')::int + (plan #>> '{0,Plan,Shared Read Blocks}')::int
    || CASE WHEN scanned > 0 THEN format(' (%s rows scanned)', scanned / 10) ELSE '' END;
END
$$;
SQL

# page FUNCTION FILTERS NUMBER: median, 99 %, buffers.
page()
{
	local key=work_order after buffers

	[ "$1" = dispatch_page ] || key=order_id
	after=$(sql -c "SELECT coalesce(bench_walk('$1', '$key', '$2', $3), 'none')") || die "there is no page $3 of $1 $2"
	buffers=$(sql -c "SELECT bench_buffers('$1', NULLIF('$after', 'none'), '$2')") || die "page $3 of $1 $2 is not as expected"
	echo "SELECT * FROM mesflow.$1(NULLIF(:after, 'none'), :filters);" >"$scratch/page.sql"
	latencies "$scratch/page.sql" -M prepared -c 1 -t "$times" -D "after=$after" -D "filters=$2" >"$scratch/times"
	printf '%.2f, %.2f ms, %s\n' "$(median <"$scratch/times")" "$(ninety_nine <"$scratch/times")" "$buffers"
}

# pages NAME: measures each into the file NAME.
pages()
{
	local what function filters number measured

	while IFS='|' read -r what function filters; do
		for number in 1 $far; do
			measured=$(page "$function" "$filters" $number </dev/null)
			echo "$what, page $number|$measured"
		done
	done >"$scratch/$1" <<'PAGES'
dispatch_page()|dispatch_page|{}
dispatch_page() of a station with four kinds of work|dispatch_page|{"station": "printer-1"}
dispatch_page() of a partner|dispatch_page|{"partner": "acme"}
orders_page()|orders_page|{}
orders_page() of open orders|orders_page|{"open": true}
orders_page() of a partner|orders_page|{"partner": "acme"}
PAGES
}

pages few

# ---- lists as companies write them ------------------------------------------------
# Orders, customers, and a row for each change of status; one of twenty orders is
# open, old ones as well as new ones.
sql >/dev/null <<SQL
SELECT setseed(0.5);
CREATE TABLE plain_customers AS SELECT n AS id, 'Customer ' || n AS name FROM generate_series(1, 50000) n;
ALTER TABLE plain_customers ADD PRIMARY KEY (id);
CREATE TABLE plain_orders AS
  SELECT n AS id, 'O' || n AS number, 1 + floor(random() * 50000)::int AS customer, now() - interval '9 s' * ($plain - n) AS created_at,
         CASE WHEN random() < 0.05 THEN 1 + floor(random() * 6)::int ELSE 7 + floor(random() * 3)::int END AS status, 120.00 AS total, repeat('x', 60) AS note
    FROM generate_series(1::bigint, $plain) n;
ALTER TABLE plain_orders ADD PRIMARY KEY (id);
CREATE TABLE plain_events AS
  SELECT row_number() OVER () AS id, o.id AS order_id, least(o.status, s) AS status, o.created_at + interval '1 hour' * s AS at, repeat('x', 40) AS note
    FROM plain_orders o, generate_series(1, 4) s;
ALTER TABLE plain_events ADD PRIMARY KEY (id);
VACUUM ANALYZE plain_customers;
VACUUM ANALYZE plain_orders;
VACUUM ANALYZE plain_events;
CHECKPOINT;
SQL

cat >"$scratch/naive.sql" <<'SQL'
SELECT o.id, o.number, c.name, o.created_at, o.total, e.status, e.at
  FROM plain_orders o JOIN plain_customers c ON c.id = o.customer
  JOIN (SELECT DISTINCT ON (order_id) order_id, status, at FROM plain_events ORDER BY order_id, at DESC) e ON e.order_id = o.id
 WHERE o.status <= 6 ORDER BY o.created_at DESC, o.id DESC LIMIT 50;
SQL
cat >"$scratch/lateral.sql" <<'SQL'
SELECT o.id, o.number, c.name, o.created_at, o.total, e.status, e.at
  FROM plain_orders o JOIN plain_customers c ON c.id = o.customer
  CROSS JOIN LATERAL (SELECT status, at FROM plain_events WHERE order_id = o.id ORDER BY at DESC LIMIT 1) e
 WHERE o.status <= 6 ORDER BY o.created_at DESC, o.id DESC LIMIT 50;
SQL
echo "REFRESH MATERIALIZED VIEW CONCURRENTLY plain_open;" >"$scratch/refresh.sql"
echo "SELECT * FROM plain_open ORDER BY created_at DESC, id DESC LIMIT 50;" >"$scratch/stale.sql"

# plainly SCRIPT TIMES: the median of so many, in ms.
plainly()
{
	latencies "$scratch/$1.sql" -M prepared -c 1 -t 1 >/dev/null
	latencies "$scratch/$1.sql" -M prepared -c 1 -t "$2" | median
}

naive=$(plainly naive 3)
sql <<'SQL'
CREATE INDEX ON plain_events (order_id, at DESC);
CREATE INDEX ON plain_orders (status);
CREATE INDEX ON plain_orders (created_at);
ANALYZE plain_orders, plain_events;
SQL
indexed=$(plainly naive 3)
sql <<'SQL'
CREATE INDEX ON plain_orders (created_at DESC, id DESC) WHERE status <= 6;
CREATE MATERIALIZED VIEW plain_open AS
  SELECT o.id, o.number, c.name, o.created_at, o.total, e.status, e.at
    FROM plain_orders o JOIN plain_customers c ON c.id = o.customer
    CROSS JOIN LATERAL (SELECT status, at FROM plain_events WHERE order_id = o.id ORDER BY at DESC LIMIT 1) e
   WHERE o.status <= 6;
CREATE UNIQUE INDEX ON plain_open (id);
CREATE INDEX ON plain_open (created_at DESC, id DESC);
VACUUM ANALYZE plain_orders;
VACUUM ANALYZE plain_open;
SQL
lateral=$(plainly lateral "$times")
stale=$(plainly stale "$times")
refresh=$(plainly refresh 3)
open=$(sql -c "SELECT count(*) FROM plain_open")
sql -c "DROP MATERIALIZED VIEW plain_open" -c "DROP TABLE plain_events"

# ---- ten times as many ---------------------------------------------------------------
load $((few + 1)) $many
pages many
size=$(sql -c "SELECT pg_size_pretty(pg_database_size(current_database()))")

echo "## The floor, with $many closed orders"
echo
echo "$((single + double + quoted)) open orders, $listed work orders on the list; $size, shared_buffers $(sql -c "SHOW shared_buffers"). Prepared statements from one session."
echo
echo "| 50 rows; time: median, 99 %; buffers | of $few | of $many | must reach |"
echo "|---|---|---|---|"
join -t '|' --nocheck-order "$scratch/few" "$scratch/many" | while IFS='|' read -r what a b; do
	case $what in
	*"a partner"* | *"a station"*) must="< 1 ms" ;;
	*) must="< 1 ms, <= 60 buffers" ;;
	esac
	printf '| %s | %s | %s | %s |\n' "$what" "$a" "$b" "$must"
done
echo
echo "For comparison the same page from tables as companies write them: $plain orders, $open of them open, $((4 * plain)) changes of status."
echo "There is no pg_ivm in Debian for PostgreSQL $PG_MAJOR."
echo
echo "| what | median |"
echo "|---|---|"
printf '| %s | %s ms |\n' \
	"join to the latest change of status, by DISTINCT ON, primary keys only" "$(printf %.0f "$naive")" \
	"the same with an index on each column that it names" "$(printf %.0f "$indexed")" \
	"partial index of open orders, latest change of each row by LATERAL" "$(printf %.2f "$lateral")" \
	"the page from a materialized view of open orders" "$(printf %.2f "$stale")" \
	"REFRESH MATERIALIZED VIEW CONCURRENTLY of that" "$(printf %.0f "$refresh")"
echo

# ---- steps of orders --------------------------------------------------------------
# rate SCRIPT OPTIONS...: transactions a second of 8 clients.
rate()
{
	local script=$1

	shift
	(cd "$scratch" && "$PG_BIN/pgbench" -n -M prepared -c 8 -j 2 "$@" -f "$script.sql" "$connection" >out 2>&1) ||
		die "pgbench failed: $(head -n 8 "$scratch/out")"
	grep -q "number of failed transactions: 0 " "$scratch/out" || die "transactions failed: $(cat "$scratch/out")"
	sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$scratch/out"
}

# What runs after a step but for its event.
shown=$(sql -c "SELECT string_agg(format('%s TRIGGER %I', '@', tgname), ', ') FROM pg_trigger WHERE tgrelid = 'mesflow.orders'::regclass AND tgname IN ('10_show_order', '20_plan_work')")
[ "$(grep -o '@' <<<"$shown" | wc -l)" = 2 ] || die "triggers of orders have other names: $shown"

# step KIND STATUS OTHER: steps to and fro of orders of that kind.
step()
{
	local which before tps

	cat >"$scratch/step.sql" <<SQL
\set n 8 * random(0, $((steps / 8 - 1))) + :client_id
UPDATE mesflow.orders SET status = CASE status WHEN '$2' THEN '$3' ELSE '$2' END WHERE id = (SELECT id FROM bench_steps WHERE kind = '$1' AND n = :n);
SQL
	rm -f "$scratch"/{all,alone}*
	for ((i = 0; i < pairs; i++)); do
		for which in $([ $((i % 2)) = 0 ] && echo alone all || echo all alone); do
			[ $which = all ] || sql -c "ALTER TABLE mesflow.orders ${shown//@/DISABLE}"
			sql -c "VACUUM mesflow.dashboard_orders" -c "VACUUM mesflow.dashboard_dispatch" -c "CHECKPOINT"
			before=$(server_cpu)
			tps=$(rate step -T "$seconds")
			echo "$tps" >>"$scratch/$which"
			awk "BEGIN {print ($(server_cpu) - $before) * 1000 / ($tps * $seconds)}" >>"$scratch/$which.cpu"
			# Back to where all were, so that what is shown is the truth whichever triggers are on.
			sql -c "UPDATE mesflow.orders o SET status = '$2' FROM bench_steps s WHERE o.id = s.id AND s.kind = '$1' AND o.status = '$3'"
			[ $which = all ] || sql -c "ALTER TABLE mesflow.orders ${shown//@/ENABLE}"
		done
	done
	row "UPDATE of a status, $2 and $3, $4: its event alone" "$(printf %.0f "$(median <"$scratch/alone")")" "a second" ""
	row "the same with the dashboards" "$(printf %.0f "$(median <"$scratch/all")")" "a second" ""
	row "the same in percent, the median of $pairs pairs" "$(paste "$scratch/all" "$scratch/alone" | awk '{print 100 * $1 / $2}' | median | xargs printf %.0f)" % ">= 75 %"
	row "processor time of one, without dashboards and with them" "$(printf '%.0f, %.0f' "$(median <"$scratch/alone.cpu")" "$(median <"$scratch/all.cpu")")" us ""
}

echo "8 clients, synchronous_commit on, fsync on; $many closed orders beside."
echo
echo "| what | measured | must reach |"
echo "|---|---|---|"
step quoted priced in_review "no work"
step single approved on_hold "a work order of each on the list"
[ "$(sql -c "SELECT count(*) FROM mesflow.dashboard_dispatch")" = "$listed" ] || die "the list is not what it was"

cat >"$scratch/plain.sql" <<SQL
\set n random(1, $plain)
\set to random(1, 9)
UPDATE plain_orders SET status = :to WHERE id = :n;
SQL
sql <<'SQL'
CREATE TABLE plain_counts (status int PRIMARY KEY, n bigint NOT NULL);
INSERT INTO plain_counts SELECT status, count(*) FROM plain_orders GROUP BY status;
CREATE FUNCTION plain_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status <> NEW.status THEN
    -- In one order, or two of them wait for each other.
    UPDATE plain_counts SET n = n + CASE status WHEN NEW.status THEN 1 ELSE -1 END WHERE status = least(OLD.status, NEW.status);
    UPDATE plain_counts SET n = n + CASE status WHEN NEW.status THEN 1 ELSE -1 END WHERE status = greatest(OLD.status, NEW.status);
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER count AFTER UPDATE ON plain_orders FOR EACH ROW EXECUTE FUNCTION plain_count();
SQL
rm -f "$scratch"/{bare,counted}
for i in 1 2 3; do
	for which in bare counted; do
		sql -c "ALTER TABLE plain_orders $([ $which = bare ] && echo DISABLE || echo ENABLE) TRIGGER count" -c "CHECKPOINT"
		rate plain -T "$seconds" >>"$scratch/$which"
	done
done
row "for comparison: UPDATE of a plain table's status" "$(printf %.0f "$(median <"$scratch/bare")")" "a second" ""
row "the same with a trigger that counts orders by status, in percent" "$(percent "$(median <"$scratch/counted")" "$(median <"$scratch/bare")")" % ""
sql -c "DROP TABLE plain_orders, plain_customers, plain_counts"

# ---- claims -------------------------------------------------------------------------
echo "SELECT * FROM mesflow.claim_work('op' || :client_id);" >"$scratch/claim.sql"
echo "SELECT * FROM mesflow.claim_work('op' || :client_id, 'printer-1');" >"$scratch/station.sql"
cat >"$scratch/cycle.sql" <<'SQL'
SELECT id AS work, quantity FROM mesflow.claim_work('op' || :client_id) \gset
SELECT * FROM mesflow.start_work(:work, 'op' || :client_id);
SELECT * FROM mesflow.finish_work(:work, 'op' || :client_id, :quantity);
SQL

# claims SCRIPT NUMBER: the median of three runs, and the processor time of each
# transaction.
claims()
{
	local before tps

	rm -f "$scratch"/claims*
	for i in 1 2 3; do
		sql -c "CHECKPOINT"
		before=$(server_cpu)
		tps=$(rate "$1" -t "$2") || die "claims failed"
		echo "$tps" >>"$scratch/claims"
		awk "BEGIN {print ($(server_cpu) - $before) * 1000 / (8 * $2)}" >>"$scratch/claims.cpu"
	done
	printf '%.0f a second, %.0f us' "$(median <"$scratch/claims")" "$(median <"$scratch/claims.cpu")"
}

sql -c "VACUUM ANALYZE mesflow.dashboard_dispatch" -c "VACUUM ANALYZE mesflow._work_orders"
rate claim -t 50 >/dev/null
any=$(claims claim $claims)
station=$(claims station $((claims / 3)))
row "claim_work, $listed work orders on the list; processor time of each" "$any" "" ">= 2,000 a second"
row "claim_work for a station with four kinds of work" "$station" "" ""

# Each claim has got one, and nobody else has it.
claimed=$((8 * (50 + 3 * claims + 3 * (claims / 3))))
IFS='|' read -r events named assigned queued <<<"$(sql -c "SELECT count(*), count(DISTINCT body::jsonb #>> '{data,work,id}') FROM mesflow.outbox WHERE type = 'work.assigned'" \
	-c "SELECT count(*) FILTER (WHERE state = 'assigned'), count(*) FILTER (WHERE state = 'queued') FROM mesflow._work_orders" | paste -sd '|')"
row "claims that were answered, work orders in their events, assigned now" "$claimed, $named, $assigned" "" "the same"
row "assigned twice: events without a work order of their own" "$((events - named))" "" 0
row "lost: neither assigned nor queued" "$((listed - assigned - queued))" "" 0
cycle=$(claims cycle $cycles)
row "claim, start and finish of one work order" "$cycle" "" ""

sql >/dev/null <<SQL
CREATE TABLE plain_work AS SELECT n AS id, 'W' || n AS number, now() - interval '1 s' * (1000000 - n) AS created_at, 'queued' AS state, NULL::text AS operator, NULL::timestamptz AS assigned_at, repeat('x', 100) AS note
  FROM generate_series(1::bigint, $listed) n;
ALTER TABLE plain_work ADD PRIMARY KEY (id);
CREATE INDEX ON plain_work (created_at) WHERE state = 'queued';
CREATE TABLE plain_events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, work bigint NOT NULL, type text NOT NULL, operator text, at timestamptz NOT NULL DEFAULT now());
VACUUM ANALYZE plain_work;
SQL
cat >"$scratch/skip.sql" <<'SQL'
WITH claimed AS (
  UPDATE plain_work SET state = 'assigned', operator = 'op' || :client_id, assigned_at = now()
   WHERE id = (SELECT id FROM plain_work WHERE state = 'queued' ORDER BY created_at DESC LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *),
event AS (INSERT INTO plain_events (work, type, operator) SELECT id, 'assigned', operator FROM claimed)
SELECT * FROM claimed;
SQL
rate skip -t 50 >/dev/null
skip=$(claims skip $claims)
row "for comparison: UPDATE of a plain table's newest by SKIP LOCKED, and an event" "$skip" "" ""
echo
