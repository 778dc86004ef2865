#!/bin/bash
# find.sh: find_orders among many orders, each kind of query it names.
#
#	MESFLOW_BENCH_ORDERS	how many (default: 10000000, about 12 GB)
#
# The orders are loaded as closed ones, without events, indexes made after them.
here=$(cd "$(dirname "$0")" && pwd)
bench=find
. "$here/lib.sh"

orders=${MESFLOW_BENCH_ORDERS:-10000000}
sql >/dev/null <<SQL
ALTER SYSTEM SET maintenance_work_mem = '1GB';
ALTER SYSTEM SET max_wal_size = '16GB';
ALTER SYSTEM SET max_parallel_maintenance_workers = 2;
ALTER SYSTEM SET autovacuum = off;
SELECT pg_reload_conf();
CREATE TABLE bench_indexes AS
  SELECT format('%s.%s', schemaname, quote_ident(indexname)) AS name, indexdef FROM pg_indexes
   WHERE schemaname = 'mesflow' AND (indexname ~ '_find_' OR indexname = 'orders_partner_created');
SELECT format('DROP INDEX %s', name) FROM bench_indexes \gexec
SET session_replication_role = replica;
SET synchronous_commit = off;
CREATE FUNCTION bench_name(n bigint, salt text, longest int) RETURNS text LANGUAGE sql IMMUTABLE AS \$\$
  SELECT initcap(string_agg((ARRAY['ba', 'le', 'mi', 'ro', 'su', 'na', 'ker', 'dan', 'vis', 'tol', 'gra', 'hen', 'pol', 'zak', 'wen', 'jor', 'fi', 'ulm', 'est', 'ard'])
           [1 + (hashtextextended(\$2 || i, \$1) & 1023) % 20], '' ORDER BY i)) FROM generate_series(1, \$3) i
\$\$;
-- 400 first names and 8,000 last names, a few of them very common.
CREATE TABLE bench_first AS SELECT n, bench_name(n, 'first', 2) AS name FROM generate_series(0, 399) n;
CREATE TABLE bench_last AS SELECT n, bench_name(n, 'last', 3) AS name FROM generate_series(0, 7999) n;
INSERT INTO mesflow.orders (id, number, partner, external_ref, status, status_since, event_seq, net, tax, total, currency, created_at, closed_at, correlation_id, status_by,
                            tracking, asked_hash)
  SELECT mesflow._uuid7(), (20000000 + n) || mesflow._damm((20000000 + n)::text), CASE WHEN n % 10 = 0 THEN 'acme' ELSE 'shop' END, 'WEB-' || lpad(n::text, 9, '0'),
         'closed', now(), 9, 100, 20, 120, 'EUR', now(), now(), mesflow._uuid7(), 'bench', CASE WHEN n % 2 = 0 THEN 'RB' || lpad((n * 7919 % 1000000007)::text, 10, '0') || 'AT' END, '\x00'
    FROM generate_series(1::bigint, $orders) n;
INSERT INTO mesflow.customers (order_id, name, email, phone)
  SELECT o.id, f.name || ' ' || l.name, lower(f.name || '.' || l.name) || o.n || '@example.org', '+43 664 ' || lpad((o.n * 104729 % 100000007)::text, 8, '0')
    FROM (SELECT id, row_number() OVER () AS n, floor(random() * 400)::int AS f, floor(power(random(), 3) * 8000)::int AS l FROM mesflow.orders) o
    JOIN bench_first f ON f.n = o.f JOIN bench_last l ON l.n = o.l;
INSERT INTO mesflow._receipts (order_id, system, received_at, via, external_id)
  SELECT o.id, 'mes', now(), 'confirmation', 'WO-' || o.number FROM mesflow.orders o WHERE o.partner = 'acme';
SELECT indexdef FROM bench_indexes \gexec
RESET session_replication_role;
VACUUM ANALYZE mesflow.orders;
VACUUM ANALYZE mesflow.customers;
VACUUM ANALYZE mesflow._receipts;
CHECKPOINT;
SQL
echo "## Finding an order among $(sql -c "SELECT count(*) FROM mesflow.orders")"
echo
echo "$(sql -c "SELECT pg_size_pretty(pg_database_size(current_database())) || ', shared_buffers ' || current_setting('shared_buffers')"). 200 different queries of each kind, one session, asked once before: the median, and the slowest twentieth."
echo
echo "| what | median | 95 % | must reach |"
echo "|---|---|---|---|"

# find WHAT EXPRESSION: the expression makes a query of an order o and its customer c.
find()
{
	sql >"$scratch/queries" <<SQL
SELECT format('SELECT count(*) FROM mesflow.find_orders(%L);', q)
  FROM (SELECT $2 AS q
          FROM (SELECT (20000001 + s * 48271::bigint % $orders)::text AS v FROM generate_series(1, 200) s) n
          JOIN mesflow.orders o ON o.number = n.v || mesflow._damm(n.v)
          JOIN mesflow.customers c ON c.order_id = o.id) q
 WHERE q IS NOT NULL;
SQL
	sql -f "$scratch/queries" >"$scratch/answers"
	! grep -qx 0 "$scratch/answers" || die "not found: $1"
	{ echo '\timing on'; cat "$scratch/queries"; } >"$scratch/timed"
	sql -f "$scratch/timed" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | sort -n >"$scratch/times"
	printf '| %s | %.2f ms | %.2f ms | < 5 ms |\n' "$1" "$(median <"$scratch/times")" "$(sed -n "$(($(wc -l <"$scratch/times") * 95 / 100))p" "$scratch/times")"
}

find "number" "o.number"
find "the partner's reference" "lower(o.external_ref)"
find "id" "o.id::text"
find "the start of an id" "left(o.id::text, 18)"
find "correlation id" "o.correlation_id::text"
find "tracking number" "o.tracking"
find "a system's own id" "CASE WHEN o.partner = 'acme' THEN 'wo-' || o.number END"
find "name" "c.name"
find "the beginning of a name" "left(c.name, 5)"
find "last name" "split_part(c.name, ' ', 2)"
find "last name, first name" "split_part(c.name, ' ', 2) || ' ' || split_part(c.name, ' ', 1)"
find "e-mail" "upper(c.email)"
find "the beginning of an e-mail" "left(c.email, 9)"
find "phone, without the country" "'0' || replace(substr(c.phone, 5), ' ', '')"
echo
