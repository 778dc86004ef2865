-- A company's own pricing function: what it may do, what it may return, and what it costs when it is wrong.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.measured('cube.stl', test.box(10, 10, 10)) AS cube \gset
CREATE ROLE regress_mesflow_company IN ROLE mesflow_app;
CREATE SCHEMA company AUTHORIZATION regress_mesflow_company;
CREATE TABLE company.costs (id serial, plate numeric);
INSERT INTO company.costs (plate) VALUES (12.5);
ALTER TABLE company.costs OWNER TO regress_mesflow_company;
GRANT EXECUTE ON FUNCTION mesflow.price_line, mesflow.price_additive TO regress_mesflow_company;
CREATE FUNCTION company.price(measurement mesflow.measurements, material mesflow.materials, process mesflow.processes, quantity integer, options jsonb, rates jsonb)
RETURNS jsonb LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
ALTER FUNCTION company.price OWNER TO regress_mesflow_company;
UPDATE mesflow.processes SET pricing_function = 'company.price' WHERE code = 'fdm';

-- Prices with this body, as an estimate and as a quote: they agree. What goes by another function has its price after it.
CREATE FUNCTION test.price(body text, language text DEFAULT 'plpgsql') RETURNS TABLE (total numeric, code text, what text) LANGUAGE plpgsql AS $$
DECLARE
  cube uuid := (SELECT id FROM mesflow.models WHERE filename = 'cube.stl');
  e record;
  q mesflow.quotes;
  quote uuid;
BEGIN
  EXECUTE format('CREATE OR REPLACE FUNCTION company.price(measurement mesflow.measurements, material mesflow.materials, process mesflow.processes, quantity integer, options jsonb, rates jsonb)
    RETURNS jsonb LANGUAGE %s AS %L', language, body);
  SELECT * INTO e FROM mesflow.estimate(cube, 'pla', 'fdm', 2);
  quote := mesflow.request_quote(cube, 'pla', 'fdm', 2);
  SELECT * INTO q FROM mesflow.quotes WHERE id = quote;
  ASSERT (e.total, e.breakdown, e.error_code, e.error) IS NOT DISTINCT FROM (q.total, q.breakdown, q.error_code, q.error), 'another price';
  ASSERT q.state = CASE WHEN e.error_code IS NULL THEN 'priced' WHEN e.error_code = 'over_review_limit' THEN 'review' ELSE 'failed' END, 'another state';
  ASSERT (SELECT n.total = 9.60 FROM mesflow.estimate(cube, 'pa12', 'sls') n), 'another function';
  ASSERT current_user <> 'regress_mesflow_company' AND NOT current_setting('transaction_read_only')::boolean, 'still its owner';
  RETURN QUERY SELECT e.total, e.error_code, coalesce(regexp_replace(e.error, '^Price list "example", process "fdm", material "pla": ', ''), test.lines(e.breakdown));
END
$$;
\set lines '''[{"line": "own", "amount": 10}]'''

-- What it gets, and where it runs.
SELECT * FROM test.price($$BEGIN
  RETURN jsonb_build_array(jsonb_build_object('line', format('%s cm3 of %s by %s, %s pieces at %s, as %s', measurement.volume_mm3 / 1000, material.code, process.code, quantity, rates ->> 'material', current_user), 'amount', 10),
    jsonb_build_object('line', format('path %s, options %s', current_setting('search_path'), options - 'wall_mm'), 'amount', 0));
END$$);
SELECT * FROM test.price($$BEGIN RETURN jsonb_build_array(jsonb_build_object('line', 'plate', 'amount', (SELECT plate FROM company.costs))); END$$);
SELECT * FROM test.price($$SELECT mesflow.price_additive(measurement, material, process, quantity, options, rates) || jsonb_build_array(
  mesflow.price_line('second setup', 'batch', 1.5, '', rates, 'setup', 'of our own'), '{"line": "box", "amount": 0.8}'::jsonb)$$, 'sql');
SELECT * FROM test.price($$SELECT jsonb_build_array(mesflow.price_line('polish', 'piece', 1, 'h', rates, 'polishing', ''))$$, 'sql');

-- The rights of its owner, and no way to others.
SELECT body, t.* FROM (VALUES ('PERFORM FROM mesflow.partners'), ('PERFORM FROM mesflow.rates'), ('PERFORM FROM mesflow._quotes'), ('SET ROLE mesflow_admin'), ('SET LOCAL ROLE NONE'), ('RESET ROLE'),
    ('RESET SESSION AUTHORIZATION'), ('SET SESSION AUTHORIZATION DEFAULT'), ('PERFORM set_config(''role'', ''mesflow_admin'', false)'), ('PERFORM pg_read_file(''PG_VERSION'')'),
    ('PERFORM mesflow.estimate(m.id) FROM mesflow.models m'), ('PERFORM mesflow.request_quote(m.id, ''pla'', ''fdm'') FROM mesflow.models m'), ('PERFORM mesflow.upload_model(''x'')')) AS b (body)
 CROSS JOIN LATERAL test.price(format('BEGIN %s; RETURN %L; END', body, :lines)) t;
-- It only reads.
SELECT body, t.* FROM (VALUES ('INSERT INTO company.costs (plate) VALUES (1)'), ('UPDATE company.costs SET plate = 0'), ('DELETE FROM company.costs'), ('TRUNCATE company.costs'),
    ('PERFORM nextval(''company.costs_id_seq'')'), ('CREATE TABLE company.t ()'), ('CREATE TEMP TABLE t ()'), ('DROP FUNCTION company.price'), ('LOCK TABLE company.costs'), ('PERFORM FROM company.costs FOR UPDATE'),
    ('SET transaction_read_only = off'), ('SET LOCAL transaction_read_only = off'), ('SET TRANSACTION READ WRITE'), ('PERFORM set_config(''transaction_read_only'', ''off'', true)'),
    ('COMMIT'), ('ROLLBACK'), ('DO ''BEGIN DELETE FROM company.costs; END''')) AS b (body)
 CROSS JOIN LATERAL test.price(format('BEGIN %s; RETURN %L; END', body, :lines)) t;
SELECT * FROM company.costs;
-- Settings that it makes end with it.
SELECT body, t.*, current_setting('statement_timeout') AS timeout, current_setting('work_mem') AS work_mem, current_setting('default_transaction_read_only') AS read_only, current_setting('search_path') AS path
  FROM (VALUES ('SET statement_timeout = ''1 h'''), ('SET LOCAL work_mem = ''64 MB'''), ('SET work_mem = ''64 MB'''), ('SET default_transaction_read_only = on'), ('SET search_path = company')) AS b (body)
 CROSS JOIN LATERAL test.price(format('BEGIN %s; RETURN %L; END', body, :lines)) t;
SELECT current_setting('statement_timeout') AS timeout, current_setting('work_mem') AS work_mem, current_setting('default_transaction_read_only') AS read_only, current_setting('search_path') AS path;

-- What it raises fails its price, under whatever state.
SELECT body, t.* FROM (VALUES ('RAISE ''the press is broken'' USING DETAIL = ''d'', HINT = ''h'''), ('RAISE ''not here'' USING ERRCODE = ''MF404'''), ('RAISE ''try again'' USING ERRCODE = ''40001'''),
    ('RAISE ''locked'' USING ERRCODE = ''40P01'''), ('RAISE ''cancelled'' USING ERRCODE = ''57014'''), ('RAISE ''shut down'' USING ERRCODE = ''57P01'''), ('RAISE ''no memory'' USING ERRCODE = ''53200'''),
    ('ASSERT quantity = 1, ''one at a time'''), ('PERFORM 1 / 0'), ('PERFORM no_such_function()'), ('PERFORM repeat(''x'', 2000000000)'),
    ('RAISE NOTICE ''by the way'''), ('BEGIN PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END')) AS b (body)
 CROSS JOIN LATERAL test.price(format('BEGIN %s; RETURN %L; END', body, :lines)) t;

-- What it returns.
SELECT result, t.* FROM (VALUES (NULL), ('{}'), ('[]'), ('1'), ('"x"'), ('null'), ('[1]'), ('[[]]'), ('[null]'), ('[{}]'), ('[{"line": "", "amount": 1}]'), ('[{"line": 1, "amount": 1}]'), ('[{"line": "x"}]'),
    ('[{"line": "x", "amount": "1"}]'), ('[{"line": "x", "amount": null}]'), ('[{"line": "x", "amount": 1.005}]'), ('[{"line": "x", "amount": 1.500}]'), ('[{"line": "x", "amount": 1e3}]'),
    ('[{"line": "x", "quantity": 3, "rate": 0.335, "amount": 1.01}]'), ('[{"line": "x", "quantity": 3, "rate": 0.335, "amount": 1.00}]'), ('[{"line": "x", "quantity": 3, "amount": 1}]'), ('[{"line": "x", "rate": 3, "amount": 3}]'),
    ('[{"line": "x", "quantity": 1, "amount": 9}]'), ('[{"line": "x", "amount": 1, "per": "hour"}]'), ('[{"line": "x", "amount": 1, "public": "yes"}]'), ('[{"line": "x", "amount": -1}]'),
    ('[{"line": "x", "amount": 20}, {"line": "y", "amount": -10}]'), ('[{"line": "x", "amount": 10}, {"line": "y", "amount": -10.01}]'), ('[{"line": "x", "amount": 1e15}]'), ('[{"line": "x", "amount": 1e16}]'), ('[{"line": "x", "amount": 0}]'), ('[{"line": "x", "amount": 1}, 2]')) AS r (result)
 CROSS JOIN LATERAL test.price(format('BEGIN RETURN %L::jsonb; END', result)) t;
-- Up to a thousand lines, the tax among them.
SELECT n, t.total, t.code, left(t.what, 30) AS what FROM unnest('{999,1000,2000}'::integer[]) n
 CROSS JOIN LATERAL test.price(format('BEGIN RETURN (SELECT jsonb_agg(jsonb_build_object(''line'', ''x'', ''amount'', 1)) FROM generate_series(1, %s)); END', n)) t;
-- The lines as they come out: what is missing has its default, what is unknown is dropped.
SELECT * FROM test.price($$BEGIN RETURN '[{"line": "bare", "amount": 9}, {"line": "full", "per": "piece", "quantity": 2, "unit": "g", "rate": 0.125, "amount": 0.25, "public": false, "why": "because", "margin": 99, "unit_price": 1}]'; END$$);
SELECT l FROM mesflow.estimate(:'cube', 'pla', 'fdm') e, jsonb_array_elements(e.breakdown) l WHERE l ->> 'line' IN ('bare', 'full');

-- One that never ends is stopped, also where it catches the first cancel. Whoever calls can still be cancelled.
CREATE OR REPLACE FUNCTION company.price(measurement mesflow.measurements, material mesflow.materials, process mesflow.processes, quantity integer, options jsonb, rates jsonb)
RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  IF quantity = 1 THEN
    LOOP NULL; END LOOP;
  END IF;
  BEGIN
    LOOP NULL; END LOOP;
  EXCEPTION WHEN query_canceled THEN
    NULL;
  END;
  RETURN '[{"line": "own", "amount": 10}]';
END
$$;
SELECT n, e.total, e.error_code, e.error FROM unnest('{1,2}'::integer[]) n CROSS JOIN LATERAL mesflow.estimate(:'cube', 'pla', 'fdm', n) e;
SET statement_timeout = '100ms';
SELECT * FROM mesflow.estimate(:'cube', 'pla', 'fdm');
RESET statement_timeout;
SELECT process, material, total FROM mesflow.estimate(:'cube', 'pa12', 'sls');

-- Quotes that wait for a measurement: the one whose function fails has failed, its neighbours have a price.
SELECT * FROM test.price('BEGIN RAISE ''the press is broken''; END');
SELECT mesflow.upload_model('later', 'later.stl') AS later \gset
SELECT count(mesflow.request_quote(:'later', m, p, 1)) AS asked FROM (VALUES ('petg', 'fdm'), ('resin', 'sla'), ('pla', 'fdm'), ('pa12', 'sls')) AS q (m, p);
SELECT test.register('node');
SELECT * FROM test.claim('node');
SELECT test.complete('node', 'later.stl', test.box(10, 10, 10));
SELECT material, process, state, total, error_code, error FROM mesflow.quotes WHERE model = :'later' ORDER BY id;
SELECT place, error_code, count(*) FROM test.jobs GROUP BY 1, 2 ORDER BY 1, 2;

-- Where there is no such function, or another of its name.
SET client_min_messages = error;
SELECT f, e.error FROM unnest('{company.price(),"a b c","company.price; DROP TABLE mesflow.rates"}'::text[]) f CROSS JOIN LATERAL test.error(format('UPDATE mesflow.processes SET pricing_function = %L', f)) e;
UPDATE mesflow.processes SET pricing_function = 'company.missing' WHERE code = 'fdm';
SELECT total, error_code, error FROM mesflow.estimate(:'cube', 'pla', 'fdm');
RESET client_min_messages;
DROP FUNCTION company.price;
CREATE FUNCTION company.price(measurement mesflow.measurements, material mesflow.materials, process mesflow.processes, quantity integer, options jsonb, rates jsonb) RETURNS numeric LANGUAGE sql AS 'SELECT 1';
UPDATE mesflow.processes SET pricing_function = 'company.price' WHERE code = 'fdm';
SELECT total, error_code, error FROM mesflow.estimate(:'cube', 'pla', 'fdm');
DROP OWNED BY regress_mesflow_company CASCADE;
SELECT material, process, total, error_code, error FROM mesflow.estimate(:'cube');
SELECT count(*) AS problems FROM mesflow.verify_jobs();
DROP ROLE regress_mesflow_company;
