#!/bin/bash
# prices.sh: what a price costs, by a price list of the usual size and by one
#	of 10,000 rates more.
here=$(cd "$(dirname "$0")" && pwd)
bench=prices
. "$here/lib.sh"

make_models
heading Prices

model=$(sql -c "SELECT mesflow.upload_model(bytes, 'bench.stl') FROM bench_base")
sql -c "SELECT 1 / (state = 'measured')::int FROM mesflow.await_model('$model')" >/dev/null
sql -c "UPDATE mesflow.processes SET max_size_mm = NULL"

# Two drafts that only differ in rates of other processes and materials.
sql >/dev/null <<'SQL'
INSERT INTO mesflow.materials (code, name, density_g_cm3) SELECT 'm' || n, 'Material ' || n, 1 FROM generate_series(1, 100) n;
INSERT INTO mesflow.processes (code, name) SELECT 'p' || n, 'Process ' || n FROM generate_series(1, 10) n;
INSERT INTO mesflow.price_lists (code, currency, tax_rate) VALUES ('large', 'EUR', 0.20);
INSERT INTO mesflow.rates (price_list, process, material, name, value, unit, public)
  SELECT 'large', process, material, name, value, unit, public FROM mesflow.rates WHERE price_list = 'example';
INSERT INTO mesflow.rates (price_list, process, material, name, value)
  SELECT 'large', 'p' || p, 'm' || m, 'rate ' || r, 1 FROM generate_series(1, 10) p, generate_series(1, 100) m, generate_series(1, 10) r;
INSERT INTO mesflow.quantity_breaks (price_list, process, from_quantity, percent)
  SELECT 'large', process, from_quantity, percent FROM mesflow.quantity_breaks WHERE price_list = 'example';
VACUUM ANALYZE mesflow.rates;
SQL

# estimates MATERIAL PROCESS LIST: the median of one estimate, in ms.
estimates()
{
	echo "SELECT * FROM mesflow.estimate('$model', '$1', '$2', 3, price_list => '$3');" >"$scratch/estimate.sql"
	latencies "$scratch/estimate.sql" -c 1 -t 500 -M prepared >/dev/null
	printf %.3f "$(latencies "$scratch/estimate.sql" -c 1 -t 3000 -M prepared | median)"
}

rates=$(sql -c "SELECT count(*) FROM mesflow.rates WHERE price_list = 'example'")
row "estimate of one, printed (price_additive), list of $rates rates" "$(estimates pla fdm example)" ms "< 0.3 ms"
row "estimate of one, cast (price_casting), list of $rates rates" "$(estimates gold585 casting example)" ms "< 0.3 ms"
rates=$(sql -c "SELECT count(*) FROM mesflow.rates WHERE price_list = 'large'")
row "the same, printed, list of $rates rates" "$(estimates pla fdm large)" ms "no more than above"
row "the same, cast, list of $rates rates" "$(estimates gold585 casting large)" ms "no more than above"

# Without the way to a client and back, and with nothing else than that way.
loop()
{
	sql <<SQL 2>&1 | sed -n 's/.*NOTICE: *//p'
DO \$\$
DECLARE
  began timestamptz;
BEGIN
  PERFORM mesflow.estimate('$model', '$1', '$2', 3) FROM generate_series(1, 100);
  began := clock_timestamp();
  FOR i IN 1 .. 5000 LOOP
    PERFORM * FROM mesflow.estimate('$model', '$1', '$2', 3);
  END LOOP;
  RAISE NOTICE '%', round((extract(epoch FROM clock_timestamp() - began) / 5)::numeric, 3);
END
\$\$;
SQL
}
row "estimate of one, printed, in a loop in the server, average of 5,000" "$(for i in 1 2 3 4 5; do loop pla fdm; done | median)" ms "< 0.3 ms"
row "estimate of one, cast, in a loop in the server, average of 5,000" "$(for i in 1 2 3 4 5; do loop gold585 casting; done | median)" ms "< 0.3 ms"
echo "SELECT 1;" >"$scratch/nothing.sql"
row "for comparison: SELECT 1 from a client" "$(printf %.3f "$(latencies "$scratch/nothing.sql" -c 1 -t 3000 -M prepared | median)")" ms ""

echo "SELECT * FROM mesflow.estimate('$model');" >"$scratch/estimate.sql"
latencies "$scratch/estimate.sql" -c 1 -t 100 -M prepared >/dev/null
pairs=$(sql -c "SELECT count(*) FROM mesflow.estimate('$model')")
row "estimate over all $pairs pairs that go together" "$(printf %.2f "$(latencies "$scratch/estimate.sql" -c 1 -t 1000 -M prepared | median)")" ms ""

# The price alone, without looking anything up.
cat >"$scratch/alone.sql" <<'SQL'
\timing on
SELECT count((mesflow._price(r, a, p, c, l, x, q, p.defaults)).total)
  FROM mesflow._measurements r, mesflow.materials a, mesflow.processes p, mesflow.partners c, mesflow.price_lists l,
       mesflow._rates(l, 'fdm', 'pla') x, generate_series(1, 10000) q
 WHERE a.code = 'pla' AND p.code = 'fdm' AND c.code = 'shop' AND l.code = 'example';
SQL
value=$(for i in 1 2 3 4 5; do sql -f "$scratch/alone.sql" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'; done | median)
row "price alone, printed, average of 10,000" "$(awk "BEGIN {printf \"%.1f\", $value / 10}")" us ""
echo
