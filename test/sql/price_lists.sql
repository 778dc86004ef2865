-- Price lists: their states, what never changes in an active one, and what a row may be.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
CREATE VIEW test.in_force AS SELECT p.code AS partner, (mesflow._price_list(p, NULL)).code AS list FROM mesflow.partners p ORDER BY 1;
-- Statements by their number, each with what comes of it.
CREATE FUNCTION test.errors(statements text[]) RETURNS TABLE (statement text, answer text) LANGUAGE sql AS $$
  SELECT CASE row_number() OVER (PARTITION BY s.at) WHEN 1 THEN s.statement END, e.error FROM unnest($1) WITH ORDINALITY s (statement, at) CROSS JOIN LATERAL test.error(s.statement) e ORDER BY s.at
$$;

-- A draft is edited freely; activated, it is sealed.
SELECT test.draft('spring');
SELECT state, valid_from, general, family, revises, sealed_rates, sealed_breaks FROM mesflow.price_lists WHERE code = 'spring';
UPDATE mesflow.rates SET value = 6 WHERE price_list = 'spring' AND name = 'setup';
DELETE FROM mesflow.rates WHERE price_list = 'spring' AND name = 'finish_dyed';
INSERT INTO mesflow.rates (price_list, process, name, value, unit) VALUES ('spring', 'sls', 'finish_dyed', 0.05, 'EUR/cm2'), ('spring', NULL, 'gift wrap', 0, 'EUR');
UPDATE mesflow.quantity_breaks SET percent = 12.5 WHERE price_list = 'spring' AND from_quantity = 200;
UPDATE mesflow.price_lists SET currency = 'USD', tax_rate = 0.07, note = 'for the spring', sealed_rates = 7, sealed_breaks = 7 WHERE code = 'spring';
SELECT currency, tax_rate, sealed_rates, sealed_breaks FROM mesflow.price_lists WHERE code = 'spring';
SELECT * FROM test.in_force;
SELECT test.activate('spring');
SELECT l.state, l.valid_from <= clock_timestamp() AS holds, l.general, l.sealed_rates, l.sealed_rates = (SELECT count(*) FROM mesflow.rates WHERE price_list = l.code) AS all_rates,
       l.sealed_breaks, l.sealed_breaks = (SELECT count(*) FROM mesflow.quantity_breaks WHERE price_list = l.code) AS all_breaks
  FROM mesflow.price_lists l WHERE code = 'spring';
SELECT * FROM test.in_force;

-- What is forbidden from then on.
SELECT test.draft('draft');
SET client_min_messages = warning;
SELECT md5(string_agg(r::text, ',' ORDER BY r::text)) AS rates, (SELECT md5(string_agg(b::text, ',' ORDER BY b::text)) FROM mesflow.quantity_breaks b) AS breaks,
       (SELECT md5(string_agg(l::text, ',' ORDER BY l::text)) FROM mesflow.price_lists l) AS lists FROM mesflow.rates r \gset before_
SELECT * FROM test.errors(ARRAY[
  $$INSERT INTO mesflow.rates (price_list, name, value) VALUES ('spring', 'extra', 1)$$,
  $$INSERT INTO mesflow.rates (price_list, name, value) VALUES ('draft', 'extra', 1), ('spring', 'extra', 1)$$,
  $$INSERT INTO mesflow.rates (price_list, name, value) VALUES ('spring', 'setup', 1) ON CONFLICT ON CONSTRAINT rates_key DO UPDATE SET value = 1$$,
  $$MERGE INTO mesflow.rates r USING (VALUES ('spring')) v (list) ON r.price_list = v.list AND r.name = 'setup' WHEN MATCHED THEN DELETE$$,
  $$UPDATE mesflow.rates SET value = 1 WHERE price_list = 'spring' AND name = 'setup'$$,
  $$UPDATE mesflow.rates SET value = value WHERE name = 'setup'$$,
  $$UPDATE mesflow.rates SET public = false WHERE price_list = 'spring'$$,
  $$UPDATE mesflow.rates SET price_list = 'draft', name = 'moved' WHERE price_list = 'spring' AND name = 'setup'$$,
  $$UPDATE mesflow.rates SET price_list = 'spring', name = 'moved' WHERE price_list = 'draft' AND name = 'setup'$$,
  $$DELETE FROM mesflow.rates WHERE price_list = 'spring' AND name = 'setup'$$,
  $$WITH gone AS (DELETE FROM mesflow.rates WHERE price_list = 'spring' AND name = 'setup') INSERT INTO mesflow.rates (price_list, name, value) VALUES ('spring', 'other', 1)$$,
  $$TRUNCATE mesflow.rates$$,
  $$INSERT INTO mesflow.quantity_breaks (price_list, from_quantity, percent) VALUES ('spring', 500, 20)$$,
  $$UPDATE mesflow.quantity_breaks SET percent = 0 WHERE price_list = 'spring'$$,
  $$UPDATE mesflow.quantity_breaks SET price_list = 'draft', from_quantity = from_quantity + 1 WHERE price_list = 'spring'$$,
  $$DELETE FROM mesflow.quantity_breaks WHERE price_list = 'spring'$$,
  $$TRUNCATE mesflow.quantity_breaks$$,
  $$DELETE FROM mesflow.price_lists WHERE code = 'spring'$$,
  $$TRUNCATE mesflow.price_lists CASCADE$$]);
RESET client_min_messages;
SELECT f AS assignment, e.error FROM unnest(ARRAY['code = ''summer''', 'currency = ''EUR''', 'tax_rate = 0', 'tax_included = true', 'rounding = 1', 'quote_validity = ''1 day''',
       'valid_from = now()', 'valid_from = NULL', 'general = false', 'family = ''example''', 'revises = ''example''', 'note = NULL', 'actor = ''eve''',
       'sealed_rates = 100', 'sealed_breaks = 100', 'state = ''draft''', 'state = ''retired'', note = ''late''', 'state = ''sold''', 'state = NULL']) f
 CROSS JOIN LATERAL test.error(format('UPDATE mesflow.price_lists SET %s WHERE code = %L', f, 'spring')) e WHERE e.error NOT LIKE '  hint%';
SELECT error FROM test.error($$UPDATE mesflow.price_lists SET note = 'late' WHERE code = 'spring'$$) WHERE error LIKE '  hint%';
SELECT error FROM test.error($$UPDATE mesflow.price_lists SET state = 'draft' WHERE code = 'spring'$$) WHERE error LIKE '  hint%';
SELECT md5(string_agg(r::text, ',' ORDER BY r::text)) = :'before_rates' AS rates, (SELECT md5(string_agg(b::text, ',' ORDER BY b::text)) FROM mesflow.quantity_breaks b) = :'before_breaks' AS breaks,
       (SELECT md5(string_agg(l::text, ',' ORDER BY l::text)) FROM mesflow.price_lists l) = :'before_lists' AS lists FROM mesflow.rates r;
-- Written as it was, it is no change; what it names stays.
UPDATE mesflow.price_lists SET state = 'active', note = note WHERE code = 'spring';
SELECT * FROM test.error($$DELETE FROM mesflow.processes WHERE code = 'sls'$$) WHERE error NOT LIKE '  detail%';

-- Retired: it prices nothing new, and is as immutable; nothing leads back.
UPDATE mesflow.price_lists SET state = 'retired' WHERE code = 'spring';
SELECT * FROM test.in_force;
SELECT * FROM test.errors(ARRAY[
  $$UPDATE mesflow.price_lists SET state = 'active' WHERE code = 'spring'$$,
  $$UPDATE mesflow.price_lists SET state = 'draft' WHERE code = 'spring'$$,
  $$UPDATE mesflow.price_lists SET note = 'late' WHERE code = 'spring'$$,
  $$DELETE FROM mesflow.price_lists WHERE code = 'spring'$$,
  $$INSERT INTO mesflow.rates (price_list, name, value) VALUES ('spring', 'extra', 1)$$,
  $$UPDATE mesflow.rates SET value = 1 WHERE price_list = 'spring'$$,
  $$DELETE FROM mesflow.quantity_breaks WHERE price_list = 'spring'$$]) WHERE answer NOT LIKE '  hint%';
-- A draft is neither retired nor renamed, but deleted with all that is in it. An empty one is not activated.
SELECT * FROM test.errors(ARRAY[
  $$UPDATE mesflow.price_lists SET state = 'retired' WHERE code = 'draft'$$,
  $$UPDATE mesflow.price_lists SET code = 'other' WHERE code = 'draft'$$]);
DELETE FROM mesflow.price_lists WHERE code = 'draft';
SELECT count(*) AS rates, (SELECT count(*) FROM mesflow.quantity_breaks WHERE price_list = 'draft') AS breaks FROM mesflow.rates WHERE price_list = 'draft';
INSERT INTO mesflow.price_lists (code, currency) VALUES ('empty', 'EUR');
SELECT * FROM test.error($$SELECT test.activate('empty')$$);
SELECT * FROM test.error($$UPDATE mesflow.partners SET price_list = 'nothing' WHERE code = 'acme'$$);
UPDATE mesflow.partners SET price_list = 'empty' WHERE code = 'acme';
SELECT error FROM test.error($$DELETE FROM mesflow.price_lists WHERE code = 'empty'$$) LIMIT 1;
-- Its partner has no price then: nothing else takes its place.
SELECT * FROM test.in_force;
UPDATE mesflow.partners SET price_list = NULL WHERE code = 'acme';
DELETE FROM mesflow.price_lists WHERE code = 'empty';

-- Of the lists that hold, the newest by valid_from; one that is still to come prices nothing, unless it is named.
SELECT test.draft('a'), test.draft('b'), test.draft('late'), test.draft('soon');
UPDATE mesflow.rates SET value = 50 WHERE price_list = 'late' AND name = 'setup';
SELECT test.activate('b'), test.activate('a'), test.activate('late', now() + interval '1 day');
SELECT * FROM test.in_force;
SELECT valid_from > now() + interval '23 h' AS to_come, general FROM mesflow.price_lists WHERE code = 'late';
SELECT test.measured('cube.stl', test.box(10, 10, 10)) AS cube \gset
SELECT l AS list, e.total FROM unnest('{late,example}'::text[]) l, mesflow.estimate(:'cube', 'pla', 'fdm', price_list => l) e;
SELECT test.activate('soon', clock_timestamp() + interval '2 s');
SELECT f.list = 'a' OR clock_timestamp() >= (SELECT valid_from FROM mesflow.price_lists WHERE code = 'soon') AS not_yet FROM test.in_force f WHERE partner = 'shop';
SELECT pg_sleep_until(valid_from) FROM mesflow.price_lists WHERE code = 'soon';
SELECT * FROM test.in_force;
-- Activated with a time that has passed, it holds from now on; nobody rewrites what was.
SELECT test.draft('old');
SELECT test.activate('old', '2001-01-01');
SELECT valid_from BETWEEN now() - interval '1 hour' AND clock_timestamp() AS from_now FROM mesflow.price_lists WHERE code = 'old';

-- Lists that cannot be, and some that can.
CREATE FUNCTION test.list(assignments text) RETURNS TABLE (error text) LANGUAGE plpgsql AS $$
DECLARE
  given jsonb := '{"code": "x", "currency": "EUR"}'::jsonb || assignments::jsonb;
BEGIN
  RETURN QUERY SELECT * FROM test.error(format('INSERT INTO mesflow.price_lists (%s) VALUES (%s)', (SELECT string_agg(quote_ident(k), ', ' ORDER BY k) FROM jsonb_object_keys(given) k),
                                               (SELECT string_agg(quote_nullable(given ->> k), ', ' ORDER BY k) FROM jsonb_object_keys(given) k)));
  DELETE FROM mesflow.price_lists WHERE code = given ->> 'code' AND state = 'draft';
END
$$;
SELECT a AS list, e.error FROM unnest(ARRAY['{}', '{"currency": null}', '{"currency": "eur"}', '{"currency": "EURO"}', '{"currency": "€"}',
  '{"tax_rate": 20}', '{"tax_rate": 1}', '{"tax_rate": -0.01}', '{"tax_rate": "NaN"}', '{"tax_rate": null}', '{"tax_rate": 0.999}',
  '{"rounding": 0.001}', '{"currency": "JPY", "rounding": 0.5}', '{"currency": "JPY"}', '{"currency": "JPY", "rounding": 10}', '{"currency": "KWD", "rounding": 0.005}', '{"currency": "KWD", "rounding": 0.0005}',
  '{"rounding": 0.05}', '{"rounding": 0}', '{"rounding": -0.01}', '{"rounding": "NaN"}', '{"rounding": "Infinity"}', '{"rounding": 1e9}', '{"rounding": null}',
  '{"quote_validity": "0"}', '{"quote_validity": "-1 day"}', '{"quote_validity": "10 years 1 day"}', '{"quote_validity": null}', '{"quote_validity": "15 min"}',
  '{"state": "active"}', '{"state": "retired"}', '{"state": "sold"}', '{"state": null}', '{"sealed_rates": 5}',
  '{"code": " x"}', '{"code": "x "}', '{"code": ""}', '{"code": null}', '{"code": "a\nb"}', '{"code": "прайс 💍 2026"}', '{"code": "example"}']) WITH ORDINALITY a (a, at)
 CROSS JOIN LATERAL test.list(a.a) e WHERE e.error NOT LIKE '  hint%' ORDER BY a.at;
SELECT length(code) AS length, e.error FROM unnest(ARRAY[repeat('ё', 100), repeat('ё', 101)]) code, test.list(jsonb_build_object('code', code)::text) e WHERE e.error !~ 'detail';
SELECT error FROM test.list('{"currency": "JPY", "rounding": 0.5}') WHERE error LIKE '  hint%' UNION ALL SELECT error FROM test.list('{"rounding": 0.001}') WHERE error LIKE '  hint%'
 UNION ALL SELECT error FROM test.list('{"tax_rate": 20}') WHERE error LIKE '  hint%' UNION ALL SELECT error FROM test.list('{"state": "active"}') WHERE error LIKE '  hint%';

-- Rates and breaks that cannot be.
SELECT test.draft('draft') \g /dev/null
SELECT r AS rate, e.error FROM unnest(ARRAY['NULL, NULL, ''x'', 0', 'NULL, NULL, ''y'', 999999999999.999999', 'NULL, NULL, ''z'', 0.000000000000000001', 'NULL, NULL, ''цена 💍'', 1',
  'NULL, NULL, ''x'', -1', 'NULL, NULL, ''x'', -0.0000001', 'NULL, NULL, ''x'', NULL', 'NULL, NULL, ''x'', ''NaN''', 'NULL, NULL, ''x'', ''Infinity''', 'NULL, NULL, ''x'', ''-Infinity''',
  'NULL, NULL, ''x'', 1e12', 'NULL, NULL, '' x'', 1', 'NULL, NULL, ''x '', 1', 'NULL, NULL, '''', 1', 'NULL, NULL, NULL, 1', 'NULL, NULL, ''_private'', 1', 'NULL, NULL, E''a\tb'', 1',
  '''magic'', NULL, ''x'', 1', 'NULL, ''unobtainium'', ''x'', 1', 'NULL, NULL, ''setup'', 1', '''fdm'', ''pla'', ''material'', 1', ''''', NULL, ''x'', 1']) WITH ORDINALITY r (r, at)
 CROSS JOIN LATERAL test.error(format('INSERT INTO mesflow.rates (price_list, process, material, name, value) VALUES (''draft'', %s)', r.r)) e WHERE e.error NOT LIKE '  hint%' ORDER BY r.at, e.error DESC;
DELETE FROM mesflow.rates WHERE price_list = 'draft' AND name IN ('x', 'y', 'z', 'цена 💍');
SELECT * FROM test.errors(ARRAY[
  $$INSERT INTO mesflow.rates (price_list, name, value) VALUES ('nothing', 'x', 1)$$,
  $$INSERT INTO mesflow.rates (price_list, name, value) VALUES (NULL, 'x', 1)$$,
  $$INSERT INTO mesflow.rates (price_list, process, name, value) VALUES ('draft', 'magic', 'x', 1)$$,
  $$INSERT INTO mesflow.rates (price_list, material, name, value) VALUES ('draft', 'unobtainium', 'x', 1)$$,
  $$UPDATE mesflow.rates SET value = 'NaN' WHERE price_list = 'draft' AND name = 'setup'$$]);
SELECT b AS break, e.error FROM unnest(ARRAY['NULL, 2, 0', 'NULL, 1000000, 100', 'NULL, 1, 5', 'NULL, 0, 5', 'NULL, 1000001, 5', 'NULL, NULL, 5', 'NULL, 3, -1', 'NULL, 3, 100.01', 'NULL, 3, ''NaN''', 'NULL, 3, NULL', 'NULL, 50, 1']) WITH ORDINALITY b (b, at)
 CROSS JOIN LATERAL test.error(format('INSERT INTO mesflow.quantity_breaks (price_list, process, from_quantity, percent) VALUES (''draft'', %s)', b.b)) e ORDER BY b.at, e.error DESC;
SELECT split_part(error, ' ', 1) AS sqlstate FROM test.error($$INSERT INTO mesflow.quantity_breaks (price_list, process, from_quantity, percent) VALUES ('draft', 'magic', 3, 1)$$) LIMIT 1;

-- A restore brings lists as they were, then their rates, in any order, and no more of them than there were.
INSERT INTO mesflow.price_lists (code, currency, state, valid_from, general, family, sealed_rates, sealed_breaks) VALUES
  ('restored', 'EUR', 'active', '2020-01-01', true, 'restored', 3, 1), ('restored and retired', 'EUR', 'retired', '2019-01-01', true, 'restored', 1, 0);
INSERT INTO mesflow.rates (price_list, name, value) VALUES ('restored', 'setup', 1);
INSERT INTO mesflow.rates (price_list, name, value) VALUES ('restored', 'minimum', 1), ('restored and retired', 'setup', 1);
SELECT * FROM test.errors(ARRAY[
  $$INSERT INTO mesflow.rates (price_list, name, value) VALUES ('restored', 'one', 1), ('restored', 'two', 1)$$,
  $$UPDATE mesflow.rates SET value = 2 WHERE price_list = 'restored'$$,
  $$DELETE FROM mesflow.rates WHERE price_list = 'restored'$$]) WHERE answer NOT LIKE '  hint%';
INSERT INTO mesflow.rates (price_list, name, value) VALUES ('restored', 'one', 1);
INSERT INTO mesflow.quantity_breaks (price_list, from_quantity, percent) VALUES ('restored', 10, 5);
SELECT * FROM test.errors(ARRAY[
  $$INSERT INTO mesflow.rates (price_list, name, value) VALUES ('restored', 'two', 1)$$,
  $$INSERT INTO mesflow.quantity_breaks (price_list, from_quantity, percent) VALUES ('restored', 20, 5)$$,
  $$INSERT INTO mesflow.rates (price_list, name, value) VALUES ('restored and retired', 'two', 1)$$,
  $$INSERT INTO mesflow.quantity_breaks (price_list, from_quantity, percent) VALUES ('restored and retired', 20, 5)$$]) WHERE answer NOT LIKE '  hint%';
SELECT code, state, valid_from, sealed_rates, (SELECT count(*) FROM mesflow.rates r WHERE r.price_list = l.code) AS rates FROM mesflow.price_lists l WHERE code ~ 'restored' ORDER BY 1;
SELECT e.error FROM unnest(ARRAY['0, 0', '1, NULL', '1, -1']) s, test.error(format($$INSERT INTO mesflow.price_lists (code, currency, state, valid_from, general, sealed_rates, sealed_breaks)
  VALUES ('half', 'EUR', 'active', now(), true, %s)$$, s)) e WHERE e.error LIKE '2%';

-- What a list cannot price: asked of a draft, and a warning when it is activated all the same.
SELECT * FROM mesflow.check_price_list('example');
SELECT test.draft('gaps') \g /dev/null
DELETE FROM mesflow.rates WHERE price_list = 'gaps' AND (name = 'fine_gold' OR (process = 'sls' AND name = 'machine_hour'));
SELECT * FROM mesflow.check_price_list('gaps');
UPDATE mesflow.materials SET active = false WHERE code = 'gold750';
UPDATE mesflow.processes SET active = false WHERE code = 'sls';
SELECT * FROM mesflow.check_price_list('gaps');
SELECT test.activate('gaps');
UPDATE mesflow.materials SET active = true WHERE code = 'gold750';
INSERT INTO mesflow.price_lists (code, currency) VALUES ('empty', 'EUR');
SELECT process, material, error_code FROM mesflow.check_price_list('empty');
SELECT * FROM test.error($$SELECT mesflow.check_price_list('nothing')$$) WHERE error NOT LIKE '  hint%';
SELECT * FROM test.error($$SELECT mesflow.check_price_list(NULL)$$) WHERE error NOT LIKE '  hint%';
SELECT count(*) AS nothing_written FROM mesflow._quotes;
