-- New rates in one call, partners in another, and which list is whose.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
CREATE VIEW test.in_force AS SELECT p.code AS partner, (mesflow._price_list(p, NULL)).code AS list FROM mesflow.partners p ORDER BY 1;
CREATE FUNCTION test.changed(before text, after text) RETURNS TABLE (change text) LANGUAGE sql AS $$
  SELECT format('%s%s.%s %s %s %s%s', v.sign, coalesce(v.process, '*'), coalesce(v.material, '*'), v.name, v.value, v.unit, CASE WHEN v.public THEN '' ELSE ' private' END)
    FROM (SELECT '-' AS sign, o.* FROM (SELECT process, material, name, value, unit, public FROM mesflow.rates WHERE price_list = $1
                                        EXCEPT SELECT process, material, name, value, unit, public FROM mesflow.rates WHERE price_list = $2) o
          UNION ALL
          SELECT '+', n.* FROM (SELECT process, material, name, value, unit, public FROM mesflow.rates WHERE price_list = $2
                                EXCEPT SELECT process, material, name, value, unit, public FROM mesflow.rates WHERE price_list = $1) n) v
   ORDER BY v.name, v.process, v.material, v.sign DESC
$$;
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring \gset
SELECT mesflow.request_quote(:'ring', 'gold585', 'casting', 25, '{"lead_time": "rush", "stones": 3, "stone": "zirconia"}') AS quote \gset
SELECT state, total, price_list, breakdown::text AS breakdown FROM mesflow.quotes WHERE id = :'quote' \gset old_
SELECT :'old_state' AS state, :'old_price_list' AS price_list, test.lines(:'old_breakdown'::jsonb);

-- Today's gold price.
SELECT mesflow.revise_price_list('[{"process": null, "material": null, "name": "fine_gold", "value": 101.55}]', 'gold of the day', 'anna') AS list;
SELECT * FROM test.changed('example', 'example-2');
SELECT n.state, n.family, n.revises, n.note, n.actor, n.general, n.valid_from <= clock_timestamp() AS holds, n.sealed_rates, n.sealed_breaks,
       (n.currency, n.tax_rate, n.tax_included, n.rounding, n.quote_validity) = (o.currency, o.tax_rate, o.tax_included, o.rounding, o.quote_validity) AS like_the_old
  FROM mesflow.price_lists n, mesflow.price_lists o WHERE n.code = 'example-2' AND o.code = 'example';
SELECT count(*) AS breaks FROM (SELECT process, from_quantity, percent FROM mesflow.quantity_breaks WHERE price_list = 'example'
                                INTERSECT SELECT process, from_quantity, percent FROM mesflow.quantity_breaks WHERE price_list = 'example-2') b;
SELECT * FROM test.in_force;
-- Again: nothing is made. A part of it, with what it has besides, or nothing at all: the same.
SELECT mesflow.revise_price_list('[{"process": null, "material": null, "name": "fine_gold", "value": 101.55}]', 'gold of the day', 'anna') AS again,
       mesflow.revise_price_list('[{"name": "fine_gold", "value": 101.550, "unit": "EUR/g", "public": true}]', 'gold of the day') AS more,
       mesflow.revise_price_list('[]', 'nothing') AS nothing;
SELECT count(*) AS lists FROM mesflow.price_lists;
-- Several, one of them new, one hidden from now on; who did it, if nobody says.
SELECT mesflow.revise_price_list('[{"process": "fdm", "material": "pla", "name": "material", "value": 0}, {"process": "fdm", "name": "support", "value": 0.05, "public": false, "unit": "EUR per g"},
  {"process": "fdm", "material": "pla", "name": "finish_dipped ✨", "value": 0.5, "unit": "EUR/cm2", "public": false}, {"material": "pla", "name": "material", "value": 1e-9, "unit": "EUR/g"}]', NULL) AS list;
SELECT * FROM test.changed('example-2', 'example-3');
SELECT revises, note, actor = session_user AS actor FROM mesflow.price_lists WHERE code = 'example-3';

-- What is refused, and that nothing of it stays.
SELECT c AS changes, e.error FROM unnest(ARRAY[NULL, 'null', '{}', '"fine_gold"', '[1]', '[null]', '[{}]', '[{"name": "setup", "value": 1}, {"name": "setup"}]', '[{"name": 1, "value": 1}]', '[{"value": 1}]',
  '[{"name": "setup", "value": null}]', '[{"name": "setup", "value": "5"}]', '[{"name": "setup", "value": -1}]', '[{"name": "setup", "value": 1e12}]',
  '[{"name": "setup", "value": 6, "currency": "USD"}]', '[{"name": "setup", "value": 6}, {"name": "minimum", "value": 6, "Value": 7}]',
  '[{"name": "setup", "process": 1, "value": 6}]', '[{"name": "setup", "material": ["pla"], "value": 6}]', '[{"name": "setup", "value": 6, "unit": 1}]', '[{"name": "setup", "value": 6, "public": "yes"}]',
  '[{"name": "fine_glod", "value": 98}]', '[{"process": "casting", "name": "fine_gold", "value": 98}]', '[{"name": "material", "value": 98}]',
  '[{"process": "magic", "name": "setup", "value": 1, "unit": "EUR"}]', '[{"material": "unobtainium", "name": "setup", "value": 1, "unit": "EUR"}]', '[{"name": "_digits", "value": 1, "unit": "EUR"}]',
  '[{"name": " setup", "value": 1, "unit": "EUR"}]', '[{"name": "setup", "value": 6}, {"name": "setup", "process": null, "value": 6}]', '[{"name": "setup", "value": 6}, {"name": "minimum", "value": 6}, {"name": "setup", "value": 7}]'])
  WITH ORDINALITY c (c, at) CROSS JOIN LATERAL test.error(format('SELECT mesflow.revise_price_list(%L, %L)', c.c, 'x')) e ORDER BY c.at;
SELECT count(*) AS lists, count(*) FILTER (WHERE state = 'draft') AS drafts FROM mesflow.price_lists;

-- In the future: until then nothing changes; what is asked for that time finds it there. Other times have other lists.
SELECT mesflow.revise_price_list('[{"name": "setup", "value": 7}]', 'next week', activate_at => now() + interval '7 days') AS next_week;
SELECT mesflow.revise_price_list('[{"name": "setup", "value": 7}]', 'next week', activate_at => now() + interval '8 days') AS there_already;
SELECT * FROM test.in_force;
SELECT mesflow.revise_price_list('[{"name": "minimum", "value": 9}]', 'today', activate_at => NULL) AS today, mesflow.revise_price_list('[{"name": "rush", "value": 0.5}]', 'since long', activate_at => '2001-01-01') AS since_long;
SELECT mesflow.revise_price_list('[{"name": "minimum", "value": 10}]', 'after next week', activate_at => now() + interval '9 days') AS after_next_week;
SELECT code, revises, (SELECT string_agg(format('%s %s', r.name, r.value), ', ' ORDER BY r.name) FROM mesflow.rates r WHERE r.price_list = l.code AND r.name IN ('setup', 'minimum', 'rush')) AS rates,
       round(extract(epoch FROM valid_from - now()) / 86400) AS in_days FROM mesflow.price_lists l ORDER BY code;
SELECT * FROM test.in_force;
-- A code that is taken is left out.
SELECT test.draft('example-8') AS draft;
SELECT mesflow.revise_price_list('[{"name": "minimum", "value": 11}]', 'today') AS list;

-- Years later: three revisions, another density, another process and another discount on, what was promised is computed again to the byte.
UPDATE mesflow.materials SET density_g_cm3 = 14, name = 'Gold' WHERE code = 'gold585';
UPDATE mesflow.processes SET rush_days = 2, review_above = 1 WHERE code = 'casting';
SELECT same, total = :'old_total'::numeric AS total, breakdown::text = :'old_breakdown' AS breakdown FROM mesflow.recompute_quote(:'quote');
SELECT breakdown::text = :'old_breakdown' AS by_the_edited_material, error_code FROM mesflow.estimate(:'ring', 'gold585', 'casting', 25, '{"lead_time": "rush", "stones": 3, "stone": "zirconia"}', price_list => 'example');
UPDATE mesflow.materials SET density_g_cm3 = 13.6, name = 'Yellow gold 585' WHERE code = 'gold585';
UPDATE mesflow.processes SET rush_days = 4, review_above = 5000 WHERE code = 'casting';
SELECT l AS list, breakdown::text = :'old_breakdown' AS breakdown, total = :'old_total'::numeric AS total
  FROM unnest('{example,example-2,example-3}'::text[]) l, mesflow.estimate(:'ring', 'gold585', 'casting', 25, '{"lead_time": "rush", "stones": 3, "stone": "zirconia"}', price_list => l);
UPDATE mesflow.partners SET discount_percent = 30 WHERE code = 'shop';
UPDATE mesflow.price_lists SET state = 'retired' WHERE code = 'example';
SELECT same FROM mesflow.recompute_quote(:'quote');
SELECT breakdown::text = :'old_breakdown' AS with_a_discount FROM mesflow.estimate(:'ring', 'gold585', 'casting', 25, '{"lead_time": "rush", "stones": 3, "stone": "zirconia"}', price_list => 'example');
UPDATE mesflow.partners SET discount_percent = 0 WHERE code = 'shop';
SELECT * FROM test.error($$SELECT mesflow.recompute_quote('00000000-0000-7000-8000-000000000000')$$);
SELECT mesflow.request_quote(:'ring', 'pla', 'sls') AS failed \gset
SELECT * FROM test.error(format('SELECT mesflow.recompute_quote(%L)', :'failed'));

-- A list of one partner's own: it is not general, and its family is revised by itself.
SELECT test.draft('of acme');
UPDATE mesflow.rates SET value = 1 WHERE price_list = 'of acme' AND name = 'setup';
SELECT * FROM test.error($$SELECT mesflow.revise_price_list('[]', 'x', price_list => 'of acme')$$) WHERE error LIKE 'MF%';
UPDATE mesflow.partners SET price_list = 'of acme' WHERE code = 'acme';
SELECT test.activate('of acme');
SELECT general FROM mesflow.price_lists WHERE code = 'of acme';
SELECT * FROM test.in_force;
SELECT mesflow.revise_price_list('[{"name": "setup", "value": 2}]', 'dearer', price_list => 'of acme') AS list;
SELECT mesflow.revise_price_list('[{"name": "setup", "value": 3}]', 'dearer', price_list => 'of acme') AS list;
SELECT mesflow.revise_price_list('[{"name": "setup", "value": 4}]', 'dearer', price_list => 'of acme-2') AS of_the_family;
SELECT code, family, revises, general FROM mesflow.price_lists WHERE family = 'of acme' ORDER BY code;
SELECT * FROM test.in_force;
SELECT mesflow.revise_price_list('[{"name": "setup", "value": 8}]', 'all others') AS general;
SELECT * FROM test.in_force;
SELECT * FROM test.error($$SELECT mesflow.revise_price_list('[]', 'x', price_list => 'nothing')$$) WHERE error NOT LIKE '  hint%';
-- Where there is no list yet.
BEGIN;
UPDATE mesflow.price_lists SET state = 'retired' WHERE state = 'active';
SELECT regexp_replace(e.error, 'at .* that', 'at ... that') AS error FROM test.error($$SELECT mesflow.revise_price_list('[]', 'x')$$) e;
SELECT * FROM test.in_force;
SELECT error_code, error FROM mesflow.estimate(:'ring', 'pla', 'fdm');
ROLLBACK;

-- A partner in one call; the same again is harmless, another is not.
SELECT mesflow.create_partner('beta', 'Beta', 'b2b', '{"discount_percent": 12.5, "currency": "EUR", "price_list": "of acme", "weight": 5, "max_queued": 0, "max_running": 2, "locale": "de-AT", "active": false}') AS partner;
SELECT * FROM mesflow.partners WHERE code = 'beta';
SELECT mesflow.create_partner('beta', 'Beta', 'b2b', '{"discount_percent": 12.50, "currency": "EUR", "price_list": "of acme", "weight": 5, "max_queued": 0, "max_running": 2, "locale": "de-AT", "active": false}') AS again;
SELECT * FROM test.error($$SELECT mesflow.create_partner('beta', 'Beta & Co', 'shop', '{"discount_percent": 12.5}')$$);
SELECT * FROM test.error($$SELECT mesflow.create_partner('acme', 'Acme Parts')$$) WHERE error NOT LIKE '  hint%';
SELECT mesflow.create_partner('Ювелир 💍', 'Ювелирный дом') AS plain;
SELECT kind, discount_percent, weight, active, version FROM mesflow.partners WHERE code = 'Ювелир 💍';
SELECT version FROM mesflow.partners WHERE code = 'beta';
SELECT a AS arguments, e.error FROM unnest(ARRAY[$$'c', 'C', 'b2b', '{"discount": 5}'$$, $$'c', 'C', 'b2b', '[]'$$, $$'c', 'C', 'b2b', NULL$$, $$'c', 'C', 'b2b', '{"discount_percent": "much"}'$$,
  $$'c', 'C', 'b2b', '{"weight": 1e30}'$$, $$'c', 'C', 'b2b', '{"active": 7}'$$, $$'c', 'C', 'b2b', '{"discount_percent": 101}'$$, $$'c', 'C', 'b2b', '{"discount_percent": null}'$$, $$'c', 'C', 'b2b', '{"weight": 0}'$$,
  $$'c', 'C', 'b2b', '{"max_running": 0}'$$, $$'c', 'C', 'b2b', '{"currency": "Euro"}'$$, $$'c', 'C', 'b2b', '{"locale": "deutsch, bitte"}'$$, $$'c', 'C', 'b2b', '{"price_list": "nothing"}'$$,
  $$'c', 'C', 'b2b', '{"price_list": "of acme", "currency": "USD"}'$$, $$'c', 'C', 'friend'$$, $$'c', ''$$, $$'c', NULL$$, $$NULL, 'C'$$, $$'c ', 'C'$$, $$'', 'C'$$, $$'c', 'C', NULL$$]) WITH ORDINALITY a (a, at)
 CROSS JOIN LATERAL test.error(format('SELECT mesflow.create_partner(%s)', a.a)) e ORDER BY a.at;

-- A currency: the newest general list in it.
SELECT test.draft('dollars');
UPDATE mesflow.price_lists SET currency = 'USD' WHERE code = 'dollars';
SELECT test.activate('dollars');
SELECT mesflow.create_partner('usa', 'USA', 'b2b', '{"currency": "USD"}'), mesflow.create_partner('euro', 'Euro', 'b2b', '{"currency": "EUR"}'), mesflow.create_partner('japan', 'Japan', 'b2b', '{"currency": "JPY"}');
SELECT * FROM test.in_force;
