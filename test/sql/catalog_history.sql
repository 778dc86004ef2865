-- Versions of catalog rows: what counts them up, what a code that comes again gets, and who may bring rows as a dump has them.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.measured('cube.stl', test.box(10, 10, 10)) AS cube \gset
CREATE VIEW test.versions AS
  SELECT kind, code, version, content - '{code,version,options,defaults}'::text[] ->> 'name' AS name FROM mesflow._catalog_history WHERE code IN ('pla', 'fdm', 'acme', 'cork') ORDER BY 1, 2, 3;
SELECT kind, code, max(version) FROM test.versions GROUP BY 1, 2 ORDER BY 1, 2;

-- An edit counts; one that changes nothing does not, nor does a number given by hand.
UPDATE mesflow.materials SET name = name WHERE code = 'pla';
UPDATE mesflow.processes SET name = name WHERE code = 'fdm';
UPDATE mesflow.partners SET name = name WHERE code = 'acme';
UPDATE mesflow.materials SET name = 'PLA, white', version = 2147483647 WHERE code = 'pla';
UPDATE mesflow.processes SET lead_days = lead_days + 1, version = 1 WHERE code = 'fdm';
UPDATE mesflow.partners SET version = 77 WHERE code = 'acme';
SELECT code, version FROM mesflow.materials WHERE code = 'pla' UNION ALL SELECT code, version FROM mesflow.processes WHERE code = 'fdm' UNION ALL SELECT code, version FROM mesflow.partners WHERE code = 'acme';
SELECT * FROM test.versions;

-- A code that went and comes again as something else goes on counting: old quotes are computed with the old row, new ones with the new.
INSERT INTO mesflow.processes (code, name, materials) VALUES ('own', 'Own', '{}');
INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('cork', 'Cork', 0.5);
UPDATE mesflow.processes SET materials = '{cork}' WHERE code = 'own';
SELECT mesflow.revise_price_list('[{"process": null, "material": null, "name": "material", "value": 1, "unit": "EUR/g"}, {"process": null, "material": null, "name": "machine_hour", "value": 60, "unit": "EUR/h"},
                                   {"process": null, "material": null, "name": "volume_time", "value": 10, "unit": "min/cm3"}]', 'a rate for everything') AS list;
SELECT mesflow.request_quote(:'cube', 'cork', 'own', 1000) AS old \gset
SELECT mesflow.preflight_quotes(:'cube', '{cork}', '{own}', '{1000}') IS NOT NULL AS job, test.run_batches() > 0 AS ran;
UPDATE mesflow.processes SET materials = '{}' WHERE code = 'own';
DELETE FROM mesflow.materials WHERE code = 'cork';
INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('cork', 'Cork', 0.25);
UPDATE mesflow.processes SET materials = '{cork}' WHERE code = 'own';
SELECT mesflow.request_quote(:'cube', 'cork', 'own', 1000) AS new \gset
SELECT code, version FROM mesflow.materials WHERE code = 'cork';
SELECT q.id = :'new' AS new, q.total, r.total AS recomputed, r.same FROM mesflow.quotes q CROSS JOIN LATERAL mesflow.recompute_quote(q.id) r WHERE q.id IN (:'old', :'new') ORDER BY 1;
-- So does one that is as it once was.
DELETE FROM mesflow.processes WHERE code = 'own';
INSERT INTO mesflow.processes (code, name, materials) VALUES ('own', 'Own', '{}');
SELECT version FROM mesflow.processes WHERE code = 'own';

-- Rows with a seal, or of a later version, are a restore's: only the owner brings them.
CREATE ROLE regress_mesflow_editor LOGIN;
GRANT mesflow_admin TO regress_mesflow_editor;
SET SESSION AUTHORIZATION regress_mesflow_editor;
INSERT INTO mesflow.price_lists (code, currency, state, valid_from, general, sealed_rates, sealed_breaks) VALUES ('forged', 'EUR', 'active', now(), true, 3, 0);
INSERT INTO mesflow.partners (code, name, kind, version, active) VALUES ('shop', 'hijack', 'b2b', 2, false);
UPDATE mesflow.partners SET name = 'Our shop' WHERE code = 'shop';
RESET SESSION AUTHORIZATION;
SELECT code, name, kind, active, version FROM mesflow.partners WHERE code = 'shop';
SELECT count(*) AS forged FROM mesflow.price_lists WHERE code = 'forged';
DROP ROLE regress_mesflow_editor;

-- A family has one currency, and lists come at a moment.
INSERT INTO mesflow.price_lists (code, family, currency) VALUES ('dollars', 'example', 'USD');
INSERT INTO mesflow.rates (price_list, name, value) VALUES ('dollars', 'setup', 1);
UPDATE mesflow.price_lists SET state = 'active' WHERE code = 'dollars';
UPDATE mesflow.price_lists SET valid_from = 'infinity' WHERE code = 'dollars';
SELECT * FROM test.error($$SELECT mesflow.revise_price_list('[]', 'never', activate_at => 'infinity')$$);

-- A price that is kept ends with the function that made it.
CREATE FUNCTION test.price(measurement mesflow.measurements, material mesflow.materials, process mesflow.processes, quantity integer, options jsonb, rates jsonb) RETURNS jsonb
LANGUAGE sql AS $$ SELECT '[{"line": "flat", "amount": 100}]'::jsonb $$;
UPDATE mesflow.processes SET pricing_function = 'test.price' WHERE code = 'sls';
SELECT mesflow.preflight_quotes(:'cube', '{pa12}', '{sls}', '{1,2}') IS NOT NULL AS job, test.run_batches() > 0 AS ran;
SELECT mesflow.request_quote(:'cube', 'pa12', 'sls', 1) AS quote \gset
SELECT total, preflight FROM mesflow.quotes WHERE id = :'quote';
CREATE OR REPLACE FUNCTION test.price(measurement mesflow.measurements, material mesflow.materials, process mesflow.processes, quantity integer, options jsonb, rates jsonb) RETURNS jsonb
LANGUAGE sql AS $$ SELECT '[{"line": "flat", "amount": 999}]'::jsonb $$;
SELECT mesflow.request_quote(:'cube', 'pa12', 'sls', 2) AS quote \gset
SELECT total, preflight FROM mesflow.quotes WHERE id = :'quote';
SELECT mesflow.preflight_quotes(:'cube', '{pa12}', '{sls}', '{2}') IS NOT NULL AS job, test.run_batches() > 0 AS ran;
SELECT total, preflight FROM mesflow.quotes WHERE process = 'sls' ORDER BY created_at;
