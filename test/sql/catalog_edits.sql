-- What people may write into partners, materials and processes, and that every version is kept.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
CREATE FUNCTION test.errors(statements text[]) RETURNS TABLE (statement text, answer text) LANGUAGE sql AS $$
  SELECT CASE row_number() OVER (PARTITION BY s.at) WHEN 1 THEN s.statement END, e.error FROM unnest($1) WITH ORDINALITY s (statement, at) CROSS JOIN LATERAL test.error(s.statement) e ORDER BY s.at
$$;

-- Materials.
SELECT * FROM test.errors(ARRAY[
  $$INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('m', 'M', 0)$$,
  $$INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('m', 'M', -1)$$,
  $$INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('m', 'M', 100)$$,
  $$INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('m', 'M', 'NaN')$$,
  $$INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('m', 'M', 'Infinity')$$,
  $$INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('m', 'M', NULL)$$,
  $$UPDATE mesflow.materials SET density_g_cm3 = 0 WHERE code = 'pla'$$,
  $$UPDATE mesflow.materials SET fineness = 585 WHERE code = 'gold585'$$,
  $$UPDATE mesflow.materials SET fineness = 0 WHERE code = 'gold585'$$,
  $$UPDATE mesflow.materials SET fineness = -0.5 WHERE code = 'gold585'$$,
  $$UPDATE mesflow.materials SET fineness = 'NaN' WHERE code = 'gold585'$$,
  $$UPDATE mesflow.materials SET fineness = NULL WHERE code = 'gold585'$$,
  $$UPDATE mesflow.materials SET metal = 'Gold 585' WHERE code = 'gold585'$$,
  $$UPDATE mesflow.materials SET code = 'gold' WHERE code = 'gold585'$$,
  $$INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES (' m', 'M', 1)$$,
  $$INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('', 'M', 1)$$,
  $$INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES (NULL, 'M', 1)$$,
  $$DELETE FROM mesflow.materials WHERE code = 'pla'$$]);
INSERT INTO mesflow.materials (code, name, density_g_cm3, fineness, metal) VALUES ('платина 950 ✨', 'Платина', 20.7, 0.95, 'platinum'), ('pure', 'Fine gold', 19.32, 1, 'gold'), ('light', 'Foam', 0.001, NULL, NULL), ('heavy', 'x', 99.999, NULL, NULL);
-- Deleted where no process names it.
UPDATE mesflow.processes SET materials = materials || '{light}' WHERE code IN ('fdm', 'sls');
SELECT error FROM test.error($$DELETE FROM mesflow.materials WHERE code = 'light'$$) WHERE error LIKE '  detail%';
UPDATE mesflow.processes SET materials = array_remove(materials, 'light');
DELETE FROM mesflow.materials WHERE code = 'light';

-- Processes.
SELECT * FROM test.errors(ARRAY[
  $$UPDATE mesflow.processes SET materials = '{pla,plaa}' WHERE code = 'fdm'$$,
  $$UPDATE mesflow.processes SET materials = '{pla,NULL}' WHERE code = 'fdm'$$,
  $$UPDATE mesflow.processes SET code = 'fff' WHERE code = 'fdm'$$,
  $$UPDATE mesflow.processes SET max_size_mm = '{250,210}' WHERE code = 'fdm'$$,
  $$UPDATE mesflow.processes SET max_size_mm = '{250,210,0}' WHERE code = 'fdm'$$,
  $$UPDATE mesflow.processes SET max_size_mm = '{250,210,NULL}' WHERE code = 'fdm'$$,
  $$UPDATE mesflow.processes SET rush_days = 4 WHERE code = 'fdm'$$,
  $$UPDATE mesflow.processes SET pricing_function = 'price(' WHERE code = 'fdm'$$,
  $$INSERT INTO mesflow.processes (code, name) VALUES ('p ', 'P')$$,
  $$INSERT INTO mesflow.processes (code, name) VALUES (E'p\n', 'P')$$,
  $$UPDATE mesflow.processes SET options = NULL WHERE code = 'fdm'$$,
  $$UPDATE mesflow.processes SET options = '["infill"]' WHERE code = 'fdm'$$]);
-- Numbers and lists that cannot be.
SELECT a AS assignment, e.error FROM unnest(ARRAY['lead_days = -1', 'lead_days = 3651', 'rush_days = -1', 'min_wall_mm = 0', 'review_above = 0', 'operations = ''{}''', 'operations = ''{NULL}''', 'lead_days = 0, rush_days = 0', 'review_above = NULL']) a,
       test.error(format('UPDATE mesflow.processes SET %s WHERE code = %L', a, 'sls')) e WHERE e.error !~ '^  hint';
-- Declarations of options.
SELECT d AS declared, e.error FROM unnest(ARRAY['{"a": 1}', '{"a": null}', '{"a": []}', '{"a": {"typ": "text"}}', '{"a": {"type": "string"}}', '{"a": {"type": 1}}', '{"a": {"allowed": "x"}}', '{"a": {"type": "number", "min": "0"}}',
  '{"a": {"type": "number", "max": null}}', '{"a": {"type": "number", "allowed": [1, "2"]}}', '{"a": {"type": "number", "min": 2, "allowed": [1, 2]}}', '{"a": {"type": "number", "default": "1"}}',
  '{"a": {"type": "number", "min": 0, "default": -1}}', '{"a": {"allowed": ["x"], "default": "y"}}', '{"a": {"type": "integer", "default": 1.5}}', '{"a": {"type": "boolean", "default": "true"}}', '{"a": {"default": 1}}',
  '{"scale": {"type": "text"}}', '{"scale": {"type": "number"}}', '{"scale": {"type": "number", "min": 0}}', '{"infill": {"type": "text"}}', '{"wall_mm": {}}', '{"layer_height": {"type": "number", "max": 1}}',
  '{"layer_height": {"type": "number", "min": 0}}', '{"stones": {"type": "number"}}', '{"good": {"type": "text"}, "bad": {"type": "colour"}}',
  '{}', '{"a": {}}', '{"a": {"type": "number", "allowed": [], "min": 5, "max": 1}}', '{"scale": {"type": "number", "min": 0.1}}', '{"layer_height": {"type": "number", "allowed": [0.1]}}', '{"гравировка ✍": {"default": "нет"}}', '{"stones": {"type": "integer", "default": 2.0}}'])
  WITH ORDINALITY d (d, at) CROSS JOIN LATERAL test.error(format($$INSERT INTO mesflow.processes (code, name, options) VALUES (gen_random_uuid()::text, 'P', %L)$$, d.d)) e
 WHERE e.error NOT LIKE '  hint%' AND e.error NOT LIKE 'MF400 option not well declared' ORDER BY d.at;
SELECT error FROM test.error($$INSERT INTO mesflow.processes (code, name, options) VALUES ('p', 'P', '{"a": 1}')$$) WHERE error NOT LIKE '  detail%';
DELETE FROM mesflow.processes WHERE name = 'P';
-- A pricing function that is not there yet is only warned of.
INSERT INTO mesflow.processes (code, name, pricing_function) VALUES ('later', 'Later', 'pricing.later');
UPDATE mesflow.processes SET name = 'Later on' WHERE code = 'later';
INSERT INTO mesflow.processes (code, name) VALUES ('плавка 🔥', 'Плавка');

-- Partners.
SELECT * FROM test.errors(ARRAY[
  $$UPDATE mesflow.partners SET code = 'acme2' WHERE code = 'acme'$$,
  $$UPDATE mesflow.partners SET discount_percent = 100.1 WHERE code = 'acme'$$,
  $$UPDATE mesflow.partners SET discount_percent = 'NaN' WHERE code = 'acme'$$,
  $$UPDATE mesflow.partners SET weight = 1001 WHERE code = 'acme'$$,
  $$UPDATE mesflow.partners SET max_queued = -1 WHERE code = 'acme'$$,
  $$UPDATE mesflow.partners SET currency = 'EU' WHERE code = 'acme'$$,
  $$UPDATE mesflow.partners SET price_list = 'example', currency = 'USD' WHERE code = 'acme'$$,
  $$UPDATE mesflow.partners SET name = '' WHERE code = 'acme'$$]) WHERE answer NOT LIKE '  hint%';
UPDATE mesflow.partners SET price_list = 'example', currency = 'EUR' WHERE code = 'acme';

-- Each edit is a version; what does not change anything is none, and a version is never set back.
UPDATE mesflow.materials SET density_g_cm3 = 1.25 WHERE code = 'pla';
UPDATE mesflow.materials SET density_g_cm3 = 1.25, name = 'PLA' WHERE code = 'pla';
UPDATE mesflow.materials SET density_g_cm3 = 1.26, version = 1 WHERE code = 'pla';
UPDATE mesflow.materials SET density_g_cm3 = 1.24, active = false WHERE code = 'pla';
SELECT version, content -> 'density_g_cm3' AS density, content -> 'active' AS active FROM mesflow._catalog_history WHERE kind = 'materials' AND code = 'pla' ORDER BY 1;
UPDATE mesflow.partners SET discount_percent = 1 WHERE code = 'acme';
SELECT version, content -> 'discount_percent' AS discount, content -> 'price_list' AS list FROM mesflow._catalog_history WHERE kind = 'partners' AND code = 'acme' ORDER BY 1;
SELECT h.version, h.content ->> 'name' AS name FROM mesflow._catalog_history h WHERE kind = 'processes' AND code = 'later' ORDER BY 1;
SELECT count(*) AS without_history FROM (SELECT 'partners' AS kind, code, version, to_jsonb(t) AS content FROM mesflow.partners t UNION ALL SELECT 'materials', code, version, to_jsonb(t) FROM mesflow.materials t
  UNION ALL SELECT 'processes', code, version, to_jsonb(t) FROM mesflow.processes t) c WHERE NOT EXISTS (SELECT FROM mesflow._catalog_history h WHERE (h.kind, h.code, h.version, h.content) = (c.kind, c.code, c.version, c.content));
-- Restored again, a version that is there is left out.
INSERT INTO mesflow._catalog_history (kind, code, version, content) SELECT kind, code, version, '{}' FROM mesflow._catalog_history;
SELECT count(*) AS emptied FROM mesflow._catalog_history WHERE content = '{}';
-- The shop comes back as it was, in the place of the one that an installation makes.
DELETE FROM mesflow._catalog_history WHERE kind = 'partners' AND code = 'shop' AND version > 1;
INSERT INTO mesflow.partners (code, name, kind, discount_percent, version) VALUES ('shop', 'The shop', 'shop', 3, 7);
SELECT name, discount_percent, version FROM mesflow.partners WHERE code = 'shop';
SELECT * FROM test.error($$INSERT INTO mesflow.partners (code, name, kind, version) VALUES ('shop', 'Another', 'shop', 9)$$) WHERE error NOT LIKE '  detail%';
SELECT * FROM test.error($$INSERT INTO mesflow.partners (code, name, kind) VALUES ('shop', 'Another', 'shop')$$) WHERE error NOT LIKE '  detail%';
