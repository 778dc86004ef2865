#!/bin/bash
# delivery.sh: what delivery must reach: deliveries a second beside a bare loop
#	around libcurl, a lone event's way to its receiver, what business
#	transactions pay, what one endpoint that hangs costs the others, memory,
#	and what all of it costs when nothing happens.
#
# The receiver is nginx on loopback, one process, that answers 200.  Bodies
# have about 600 bytes.  Processors are shared by all of them.
here=$(cd "$(dirname "$0")" && pwd)
bench=delivery
. "$here/lib.sh"

events=${EVENTS:-250000}		# delivered four times
backlog=${BACKLOG:-1000000}
lone=${LONE:-300}
rounds=${ROUNDS:-15}				# of business transactions
seconds=${SECONDS_EACH:-3}
keys=5000
jobs=()

stop_all()
{
	[ ${#jobs[@]} = 0 ] || kill "${jobs[@]}" 2>/dev/null || true
	finish
}
trap stop_all EXIT

heading Delivery
sql -c "ALTER SYSTEM SET mesflow.delivery_allow_private = '127.0.0.0/8'" -c "SELECT pg_reload_conf()" >/dev/null
for program in sender_loop delivery_lone; do
	gcc -std=gnu11 -O2 -pthread -I"$("$PG_CONFIG" --includedir)" -o "$scratch/$program" "$here/$program.c" \
		-L"$("$PG_CONFIG" --libdir)" -lpq -lcurl
done

# ---- receivers ------------------------------------------------------------------
port=$(free_port)
cat >"$scratch/nginx.conf" <<CONF
daemon off;
master_process off;
error_log $scratch/nginx.log;
pid $scratch/nginx.pid;
events { worker_connections 4096; }
http {
	access_log off;
	keepalive_requests 1000000000;
	keepalive_timeout 600;
	client_body_temp_path $scratch/body;
	proxy_temp_path $scratch/proxy;
	fastcgi_temp_path $scratch/fastcgi;
	uwsgi_temp_path $scratch/uwsgi;
	scgi_temp_path $scratch/scgi;
	server {
		listen 127.0.0.1:$port;
		location / { return 200; }
	}
}
CONF
/usr/sbin/nginx -e "$scratch/nginx.log" -c "$scratch/nginx.conf" &
nginx=$!
jobs+=("$nginx")
url=http://127.0.0.1:$port/hook

# Takes connections, reads, and says nothing.
hang_port=$(free_port)
node -e "require('net').createServer((s) => s.on('error', () => {}).resume()).listen($hang_port, '127.0.0.1')" &
jobs+=($!)
for ((i = 0; i < 100; i++)); do
	! (exec 3<>"/dev/tcp/127.0.0.1/$port" 4<>"/dev/tcp/127.0.0.1/$hang_port") 2>/dev/null || break
	sleep 0.1
done

# ---- processes ---------------------------------------------------------------
worker()
{
	sql -c "SELECT pid FROM mesflow.worker_status WHERE kind = 'delivery'"
}

sender()
{
	pgrep -P "$(worker)" || true
}

# cpu_us PID ...: processor time so far, in us.
cpu_us()
{
	local pid

	for pid; do cat "/proc/$pid/stat"; done |
		awk -v tick="$(getconf CLK_TCK)" '{sub(/^.*\) /, ""); sum += $12 + $13} END {printf "%.0f\n", sum * 1000000 / tick}'
}

# run_ns PID ...: the same, in ns, of all threads that live.
run_ns()
{
	local pid

	for pid; do cat /proc/"$pid"/task/*/schedstat; done | awk '{sum += $1} END {printf "%.0f\n", sum}'
}

# per AMOUNT COUNT
per()
{
	awk "BEGIN {printf \"%.1f\", $1 / $2}"
}

# ---- idle ------------------------------------------------------------------------
# idle: the processor time of worker and sender in a second, in ms.
idle()
{
	local pids before

	pids="$(worker) $(sender)"
	before=$(run_ns $pids)
	sleep 6
	awk "BEGIN {printf \"%.2f\", ($(run_ns $pids) - $before) / 6 / 1e6}"
}

sleep 2
row "processor time while nothing happens, no endpoint" "$(idle)" "ms a second" ""
sql -c "SELECT count(mesflow.create_endpoint('idle ' || n, '$url', options => '{\"allow_private\": true}')) FROM generate_series(1, 1000) n" >/dev/null
sleep 3
row "the same with 1,000 endpoints" "$(idle)" "ms a second" ""
sql -c "SELECT count(mesflow.drop_endpoint('idle ' || n)) FROM generate_series(1, 1000) n" >/dev/null

# ---- draining a backlog -------------------------------------------------------------
sql >/dev/null <<SQL
CREATE TABLE bench_mark AS SELECT * FROM mesflow._mark();
CREATE TABLE bench_memory (deliveries bigint, who text, kb int);

-- An endpoint for many kinds of tests here, paused.
CREATE FUNCTION bench_endpoint(name text, options jsonb, url text DEFAULT '$url') RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
  PERFORM mesflow.create_endpoint(name, url, options => '{"allow_private": true, "max_in_flight": 64}' || options);
  PERFORM mesflow.pause_endpoint(name, 'not yet');
END
\$\$;
SELECT bench_endpoint('none 1', '{"ordering": "none"}'), bench_endpoint('none 2', '{"ordering": "none"}'),
       bench_endpoint('order 1', '{}'), bench_endpoint('order 2', '{}'), bench_endpoint('lone', '{}', 'http://127.0.0.1:$((port + 1))/');
SELECT bench_endpoint('one of ten ' || n, '{"timeout_ms": 2000}') FROM generate_series(1, 10) n;

SELECT count(mesflow.emit('bench.event', 'key ' || (n % $keys), jsonb_build_object('number', n, 'note', repeat('x', 500)))) FROM generate_series(1, $events) n;

-- Memory that nobody else has a part in, at 100,000 deliveries and so on.
CREATE PROCEDURE bench_sample(worker int, sender int) LANGUAGE plpgsql AS \$\$
DECLARE
  total bigint := (SELECT sum(delivered) FROM mesflow._cursors);
  due bigint := CASE (SELECT count(*) FROM bench_memory WHERE who = 'worker') WHEN 0 THEN 100000 WHEN 1 THEN 500000 WHEN 2 THEN 1000000 END;
BEGIN
  IF total >= due THEN
    INSERT INTO bench_memory SELECT total, who, substring(pg_read_file(format('/proc/%s/status', pid)) FROM 'RssAnon:\s*(\d+)')::int
      FROM (VALUES ('worker', worker), ('sender', sender)) p (who, pid);
  END IF;
END
\$\$;
-- Waits until an endpoint has got all; how many that were, in how many seconds.
CREATE PROCEDURE bench_drain(endpoint text, events bigint, worker int, sender int) LANGUAGE plpgsql AS \$\$
DECLARE
  began timestamptz;
  had bigint := (SELECT delivered FROM mesflow._cursors WHERE name = 'endpoint ' || endpoint);
BEGIN
  PERFORM mesflow.resume_endpoint(endpoint);
  COMMIT;
  began := clock_timestamp();
  WHILE (SELECT delivered < events FROM mesflow._cursors WHERE name = 'endpoint ' || endpoint) LOOP
    COMMIT;
    IF clock_timestamp() > began + interval '3 min' THEN
      RAISE 'endpoint % does not get all', endpoint;
    END IF;
    CALL bench_sample(worker, sender);
    PERFORM pg_sleep(0.02);
  END LOOP;
  RAISE NOTICE '% %', events - had, extract(epoch FROM clock_timestamp() - began);
  COMMIT;
  PERFORM mesflow.pause_endpoint(endpoint, 'done');
  CALL bench_sample(worker, sender);
END
\$\$;
VACUUM ANALYZE mesflow.outbox;
CHECKPOINT;
SQL
body=$(sql -c "SELECT round(avg(octet_length(body))) FROM (SELECT body FROM mesflow.outbox WHERE type = 'bench.event' LIMIT 1000) b")

# loops: the bare loop with 16, 32 and 64 in flight.
loops()
{
	local in_flight

	for in_flight in 16 32 64; do
		"$scratch/sender_loop" "$url" 30000 $in_flight >"$scratch/loop" || die "the loop failed"
		cut -d' ' -f1 "$scratch/loop" >>"$scratch/loop.$in_flight"
		cut -d' ' -f2 "$scratch/loop" >>"$scratch/loop.$in_flight.cpu"
	done
}

# drain KIND NUMBER: what the endpoint "KIND NUMBER" gets a second, and the
# processor time of each process for one delivery.
drain()
{
	local pids before took count

	pids=($(worker) $(sender) "$nginx")
	before=($(cpu_us "${pids[0]}") $(cpu_us "${pids[1]}") $(cpu_us "${pids[2]}"))
	read -r count took < <(sql -c "CALL bench_drain('$1 $2', $events, ${pids[0]}, ${pids[1]})" 2>&1 | sed -n 's/.*NOTICE: *//p') ||
		die "endpoint $1 $2 did not get all"
	awk "BEGIN {print $count / $took}" >>"$scratch/$1"
	awk "BEGIN {print ($(cpu_us "${pids[0]}") - ${before[0]}) / $count}" >>"$scratch/$1.worker"
	awk "BEGIN {print ($(cpu_us "${pids[1]}") - ${before[1]}) / $count}" >>"$scratch/$1.sender"
	awk "BEGIN {print ($(cpu_us "${pids[2]}") - ${before[2]}) / $count}" >>"$scratch/$1.nginx"
}

# All four a little, so that what each keeps for itself is there: connections,
# handles, a window.
sql -c "SELECT mesflow.resume_endpoint(name) FROM mesflow._endpoints WHERE name ~ '^(none|order)'" >/dev/null
for ((i = 0; i < 100; i++)); do
	[ "$(sql -c "SELECT min(c.delivered) < $events / 50 FROM mesflow._cursors c WHERE name ~ '^endpoint (none|order)'")" = t ] || break
	sleep 0.1
done
sql -c "SELECT mesflow.pause_endpoint(name, 'not yet') FROM mesflow._endpoints" >/dev/null
sleep 0.5
loops
drain none 1
loops
drain order 1
loops
drain none 2
drain order 2
loops

best=0
for in_flight in 16 32 64; do
	rate=$(median <"$scratch/loop.$in_flight")
	if awk "BEGIN {exit !($rate > $best)}"; then
		best=$rate
		best_at=$in_flight
	fi
done
row "bare loop around libcurl, $best_at in flight, the best of 16, 32, 64" "$(printf %.0f "$best")" "a second" ""
row "its processor time for each" "$(median <"$scratch/loop.$best_at.cpu")" us ""
for kind in none order; do
	case $kind in
		none) what="ordering none, 64 in flight" ;;
		order) what="in order per key, $keys keys" ;;
	esac
	rate=$(median <"$scratch/$kind")
	row "deliveries of $events events of $body bytes to one endpoint, $what" "$(printf %.0f "$rate")" "a second" ""
	row "the same in percent of the bare loop" "$(percent "$rate" "$best")" % ">= 35 %"
	row "processor time for each: worker, sender, nginx" \
		"$(for who in worker sender nginx; do printf '%.1f ' "$(median <"$scratch/$kind.$who")"; done | sed 's/ $//')" us ""
done
for who in worker sender; do
	row "memory of the $who after $(sql -c "SELECT string_agg(deliveries::text, ', ' ORDER BY deliveries) FROM bench_memory WHERE who = '$who'") deliveries" \
		"$(sql -c "SELECT string_agg(round(kb / 1024.0, 1)::text, ', ' ORDER BY deliveries) FROM bench_memory WHERE who = '$who'")" MB "flat"
done

# ---- what people write by hand --------------------------------------------------------
if "$TOP/tools/node-modules" "$scratch" bench; then
	sql >/dev/null <<SQL
CREATE TABLE bench_webhooks (id bigserial PRIMARY KEY, event uuid, body text, attempts int DEFAULT 0, due_at timestamptz DEFAULT now(), sent_at timestamptz);
INSERT INTO bench_webhooks (event, body) SELECT event, body FROM mesflow.outbox WHERE type = 'bench.event' LIMIT 30000;
CREATE INDEX ON bench_webhooks (id) WHERE sent_at IS NULL;
VACUUM ANALYZE bench_webhooks;
SQL
	NODE_PATH=$scratch/node_modules timeout 120 node "$here/delivery_dispatcher.js" "$connection" "$url" >"$scratch/by-hand"
	row "for comparison: a dispatcher in Node with SKIP LOCKED, 100 at a time" "$(cut -d' ' -f1 "$scratch/by-hand")" "a second" ""
	row "its own processor time for each" "$(cut -d' ' -f2 "$scratch/by-hand")" us ""
fi

# ---- one that hangs ----------------------------------------------------------------
# nine: how many deliveries of the nine end in a second, after a second.
nine()
{
	sql <<'SQL' 2>&1 | sed -n 's/.*NOTICE: *//p'
DO $$
DECLARE
  at timestamptz;
  count bigint;
BEGIN
  PERFORM mesflow.resume_endpoint('one of ten ' || n) FROM generate_series(1, 10) n;
  COMMIT;
  PERFORM pg_sleep(1);
  COMMIT;
  at := clock_timestamp();
  count := sum(delivered) FROM mesflow._cursors WHERE name LIKE 'endpoint one of ten _';
  COMMIT;
  PERFORM pg_sleep(5);
  COMMIT;
  count := sum(delivered) - count FROM mesflow._cursors WHERE name LIKE 'endpoint one of ten _';
  RAISE NOTICE '%', count / extract(epoch FROM clock_timestamp() - at);
  COMMIT;
  PERFORM mesflow.pause_endpoint('one of ten ' || n, 'done') FROM generate_series(1, 10) n;
END
$$;
SQL
}
for i in 1 2; do
	sql -c "SELECT mesflow.alter_endpoint('one of ten 10', url => '$url')" >/dev/null
	nine >>"$scratch/healthy"
	sql -c "SELECT mesflow.alter_endpoint('one of ten 10', url => 'http://127.0.0.1:$hang_port/')" >/dev/null
	nine >>"$scratch/hung"
done
row "deliveries of nine endpoints, a tenth beside them" "$(printf %.0f "$(median <"$scratch/healthy")")" "a second" ""
row "the same, the tenth hangs" "$(printf %.0f "$(median <"$scratch/hung")")" "a second" ""
row "the same in percent" "$(percent "$(median <"$scratch/hung")" "$(median <"$scratch/healthy")")" % ">= 95 %"
sql -c "SELECT count(mesflow.drop_endpoint(name)) FROM mesflow._endpoints WHERE name <> 'lone'" >/dev/null

# ---- a lone event ---------------------------------------------------------------------
# The endpoint begins anew: it has no use for what came before.
sql -c "SELECT mesflow.drop_endpoint('lone')" -c "CHECKPOINT" >/dev/null
sql -c "SELECT mesflow.create_endpoint('lone', 'http://127.0.0.1:$((port + 1))/', options => '{\"allow_private\": true}')" >/dev/null
sleep 2
"$scratch/delivery_lone" "$connection" $((port + 1)) "$place/log/fsync" "$lone" >"$scratch/lone" || die "lone events do not arrive"
sql -c "SELECT mesflow.drop_endpoint('lone')" >/dev/null
ms()
{
	awk "BEGIN {printf \"%.2f\", ($1) / 1000}"
}
cut -d' ' -f1 "$scratch/lone" >"$scratch/before"
cut -d' ' -f2 "$scratch/lone" >"$scratch/after"
cut -d' ' -f3 "$scratch/lone" >"$scratch/synced"
fsync=$(median <"$scratch/synced")
row "write and fdatasync of 8 kB: median, 99 %" "$(ms "$fsync"), $(ms "$(ninety_nine <"$scratch/synced")")" ms ""
row "a lone event, from the start of COMMIT to its receiver: median, 99 %" "$(ms "$(median <"$scratch/before")"), $(ms "$(ninety_nine <"$scratch/before")")" ms ""
row "the same less the median of fdatasync: median" "$(ms "$(median <"$scratch/before") - $fsync")" ms "< 1.5 ms"
row "the same less the median of fdatasync: 99 %" "$(ms "$(ninety_nine <"$scratch/before") - $fsync")" ms "< 6 ms"
row "from the return of COMMIT to its receiver: median, 99 %" "$(ms "$(median <"$scratch/after")"), $(ms "$(ninety_nine <"$scratch/after")")" ms ""

# ---- business transactions --------------------------------------------------------------
# An UPDATE of an order's status, an event each, 8 clients; without endpoints,
# and beside ten that all have a backlog: those begin where this server did.
make_models
model=$(sql -c "SELECT mesflow.upload_model(bench_variant(), 'bench.stl')")
sql >/dev/null <<SQL
SELECT 1 / (state = 'measured')::int FROM mesflow.await_model('$model');
CREATE TABLE bench_orders (n int PRIMARY KEY, id uuid);
INSERT INTO bench_orders SELECT n, mesflow.submit_order('shop', 'step ' || n, '[{"model": "$model", "material": "pla", "process": "fdm"}]') FROM generate_series(0, 7999) n;
UPDATE mesflow.orders SET status = 'approved' WHERE id IN (SELECT id FROM bench_orders);
BEGIN;
SELECT pg_current_xact_id();
INSERT INTO mesflow.outbox (id, event, type, key, at, body, xid, origin, slot)
  SELECT nextval('mesflow._outbox_ids'), gen_random_uuid(), 'bench.event', n::text, clock_timestamp(), repeat('x', 600), pg_current_xact_id(),
         mesflow._origin(), mesflow._ring_slot(now())
    FROM generate_series(1, $backlog - $events) n;
COMMIT;
VACUUM ANALYZE;
CHECKPOINT;

CREATE FUNCTION bench_ten(paused boolean) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
  PERFORM mesflow.create_endpoint('ten ' || n, '$url', options => '{"allow_private": true}') FROM generate_series(1, 10) n;
  IF paused THEN
    PERFORM mesflow.pause_endpoint('ten ' || n, 'for now') FROM generate_series(1, 10) n;
  END IF;
  UPDATE mesflow._cursors c SET seen = m.seen, floor_id = m.floor_id, floor_xid = m.floor_xid FROM bench_mark m WHERE c.name LIKE 'endpoint ten %';
END
\$\$;
SQL
cat >"$scratch/step.sql" <<'SQL'
\set n 8 * random(0, 999) + :client_id
UPDATE mesflow.orders SET status = CASE status WHEN 'approved' THEN 'on_hold' ELSE 'approved' END WHERE id = (SELECT id FROM bench_orders WHERE n = :n);
SQL

# rate: transactions a second of 8 clients.
rate()
{
	(cd "$scratch" && "$PG_BIN/pgbench" -n -M prepared -c 8 -j 2 -T "$seconds" -f step.sql "$connection" >out 2>&1) ||
		die "pgbench failed: $(head -n 8 "$scratch/out")"
	grep -q "number of failed transactions: 0 " "$scratch/out" || die "transactions failed: $(cat "$scratch/out")"
	sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$scratch/out"
}

# delivery_is on|off
delivery_is()
{
	local i

	sql -c "ALTER SYSTEM SET mesflow.delivery = $1" -c "SELECT pg_reload_conf()" >/dev/null
	for ((i = 0; i < 100; i++)); do
		[ "$(sql -c "SELECT current <> 'mesflow.delivery is off' FROM mesflow.worker_status WHERE kind = 'delivery'")" != "$([ "$1" = on ] && echo f || echo t)" ] || break
		sleep 0.1
	done
}

# with KIND: the rate in one of three states.
with()
{
	case $1 in
		paused)
			sql -c "SELECT bench_ten(true)" >/dev/null
			;;
		off)
			delivery_is off
			sql -c "SELECT bench_ten(false)" >/dev/null
			;;
	esac
	sql -c "CHECKPOINT"
	sleep 0.5
	rate >>"$scratch/with.$1"
	if [ ! -e "$scratch/waiting" ] && [ "$1" = paused ]; then
		sql -c "SELECT min(waiting) FROM mesflow.endpoints" >"$scratch/waiting"
	fi
	sql -c "SELECT count(mesflow.drop_endpoint(name)) FROM mesflow._endpoints" >/dev/null
	[ "$1" != off ] || delivery_is on
}
rate >/dev/null
for ((i = 0; i < rounds; i++)); do
	case $((i % 3)) in
		0) order="nothing paused off" ;;
		1) order="off nothing paused" ;;
		2) order="paused off nothing" ;;
	esac
	for kind in $order; do with "$kind"; done
done
row "UPDATE of a status, an event each, no endpoint, 8 clients" "$(printf %.0f "$(median <"$scratch/with.nothing")")" "a second" ""
row "the same, ten endpoints that are paused, $(cat "$scratch/waiting") events waiting at each, in percent" \
	"$(paste "$scratch/with.paused" "$scratch/with.nothing" | awk '{print 100 * $1 / $2}' | median | xargs printf %.1f)" % ">= 97 %"
row "the same, mesflow.delivery off, in percent" \
	"$(paste "$scratch/with.off" "$scratch/with.nothing" | awk '{print 100 * $1 / $2}' | median | xargs printf %.1f)" % ">= 97 %"
echo
