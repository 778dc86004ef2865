-- Why a model has no price: obstacles, a company's own pricing function, and estimates over all that goes together.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common

SELECT test.measured('cube.stl', test.box(30, 30, 30)) AS cube \gset
SELECT test.measured('open.stl', test.box(10, 10, 10, '{"watertight": false, "volume_mm3": null, "centroid": null}')) AS open \gset
SELECT test.measured('thin.stl', test.box(10, 10, 10, '{"min_wall_mm": 0.3}')) AS thin \gset
SELECT test.measured('upright.stl', test.box(100, 100, 175)) AS upright \gset
SELECT test.measured('lying.stl', test.box(175, 100, 145)) AS lying \gset
SELECT test.measured('long.stl', test.box(175.01, 1, 1)) AS long \gset
SELECT test.measured('wide.stl', test.box(146, 1, 146)) AS wide \gset
SELECT test.measured('off.stl', test.box(10, 10, 10, '{"bbox_min": [-1000, 500, 0], "bbox_max": [-990, 510, 10]}')) AS off \gset
SELECT mesflow.upload_model('not measured yet', 'new.stl') AS new \gset

-- One call for each obstacle.
CREATE FUNCTION test.verdict(model uuid, material text, process text, quantity integer DEFAULT 1) RETURNS TABLE (state text, error_code text, error text, total boolean, as_estimated boolean)
LANGUAGE plpgsql AS $$
DECLARE
  quote uuid := mesflow.request_quote($1, $2, $3, $4);
BEGIN
  RETURN QUERY SELECT q.state, q.error_code, q.error, q.total IS NOT NULL,
      (q.unit_price, q.net, q.tax, q.total, q.lead_days, q.error_code, q.error) IS NOT DISTINCT FROM (e.unit_price, e.net, e.tax, e.total, e.lead_days, e.error_code, e.error)
    FROM mesflow.quotes q CROSS JOIN mesflow.estimate($1, $2, $3, $4) e WHERE q.id = quote;
END
$$;
UPDATE mesflow.processes SET min_wall_mm = 0.5 WHERE code = 'sla';
SELECT * FROM test.verdict(:'cube', 'resin', 'sla');
SELECT * FROM test.verdict(:'cube', 'pla', 'sla');
SELECT * FROM test.verdict(:'open', 'resin', 'sla');
SELECT * FROM test.verdict(:'thin', 'resin', 'sla');
SELECT * FROM test.verdict(:'thin', 'pla', 'fdm');
SELECT * FROM test.verdict(:'upright', 'resin', 'sla');
SELECT * FROM test.verdict(:'lying', 'resin', 'sla');
SELECT * FROM test.verdict(:'long', 'resin', 'sla');
SELECT * FROM test.verdict(:'wide', 'resin', 'sla');
SELECT * FROM test.verdict(:'off', 'resin', 'sla');
SELECT * FROM test.verdict(:'cube', 'resin', 'sla', 1000000);
UPDATE mesflow.materials SET active = false WHERE code = 'resin';
SELECT * FROM test.verdict(:'cube', 'resin', 'sla');
UPDATE mesflow.materials SET active = true WHERE code = 'resin';
UPDATE mesflow.processes SET active = false WHERE code = 'sla';
SELECT * FROM test.verdict(:'cube', 'resin', 'sla');
UPDATE mesflow.processes SET active = true WHERE code = 'sla';
-- To the micrometre: 0.7 mm in a file of single precision is a little less, 175 mm may be a little more.
UPDATE mesflow.processes SET min_wall_mm = 0.7 WHERE code = 'sla';
SELECT test.measured('drawn.stl', test.box(145.00002, 145.00002, 175.00002, jsonb_build_object('min_wall_mm', 0.7::real::float8 - 2e-5))) AS drawn \gset
SELECT test.measured('thinner.stl', test.box(10, 10, 10, '{"min_wall_mm": 0.6994}')) AS thinner \gset
SELECT test.measured('larger.stl', test.box(145, 145, 175.001)) AS larger \gset
SELECT * FROM test.verdict(:'drawn', 'resin', 'sla');
SELECT * FROM test.verdict(:'thinner', 'resin', 'sla');
SELECT * FROM test.verdict(:'larger', 'resin', 'sla');
UPDATE mesflow.processes SET min_wall_mm = 0.5 WHERE code = 'sla';
-- A box fits exactly where its sorted edges do, whichever way it lies.
CREATE TABLE test.boxes AS
  SELECT mesflow.upload_model(convert_to(format('%s %s %s', x, y, z), 'UTF8'), format('%s %s %s.stl', x, y, z)) AS model, ARRAY[x, y, z] AS edges
    FROM generate_series(1, 5) x, generate_series(1, 5) y, generate_series(1, 5) z;
SELECT mesflow._record_measurement(m.sha256, '', test.box(b.edges[1], b.edges[2], b.edges[3])) FROM test.boxes b JOIN mesflow._models m ON m.id = b.model \g /dev/null
UPDATE mesflow.processes SET max_size_mm = '{3,2,4}' WHERE code = 'fdm';
SELECT e.error_code, count(*) AS boxes, count(*) FILTER (WHERE (e.error_code IS NULL) = (s.e[1] <= 2 AND s.e[2] <= 3 AND s.e[3] <= 4)) AS right
  FROM test.boxes b CROSS JOIN LATERAL mesflow.estimate(b.model, 'pla', 'fdm') e CROSS JOIN LATERAL (SELECT array_agg(x ORDER BY x) AS e FROM unnest(b.edges) x) s GROUP BY 1 ORDER BY 1;
UPDATE mesflow.processes SET max_size_mm = NULL WHERE code = 'fdm';
SELECT e.error_code, count(*) AS boxes FROM test.boxes b CROSS JOIN LATERAL mesflow.estimate(b.model, 'pla', 'fdm') e GROUP BY 1;
UPDATE mesflow.processes SET max_size_mm = '{250,210,210}' WHERE code = 'fdm';

-- Everything that goes together; a model that waits for its measurement.
SELECT material, process, total, error_code FROM mesflow.estimate(:'cube');
SELECT material, process, error_code FROM mesflow.estimate(:'open');
SELECT material, process FROM mesflow.estimate(:'cube', material => 'pla');
SELECT material, process FROM mesflow.estimate(:'cube', process => 'fdm');
SELECT material, process FROM mesflow.estimate(:'cube', options => '{"infill": 0.5}');
SELECT material, process, total FROM mesflow.estimate(:'cube', options => '{"finish": "sanded"}');
SELECT material, process, total, error_code, error FROM mesflow.estimate(:'new', 'pla', 'fdm');
SELECT count(*), count(*) FILTER (WHERE error_code = 'not_measured') AS not_measured FROM mesflow.estimate(:'new');
SELECT count(*) AS nothing_written FROM mesflow._quotes WHERE model = :'new';
BEGIN READ ONLY;
SELECT count(*) FROM mesflow.estimate(:'cube');
COMMIT;
SELECT * FROM test.error(format('SELECT * FROM mesflow.estimate(%L)', gen_random_uuid()));
SELECT * FROM test.error(format('SELECT * FROM mesflow.estimate(%L, partner => %L)', :'cube', 'acme'));
SELECT * FROM test.error(format('SELECT * FROM mesflow.estimate(%L, material => %L)', :'cube', 'unobtainium'));
SELECT * FROM test.error(format('SELECT * FROM mesflow.estimate(%L, process => %L)', :'cube', 'magic'));
SELECT * FROM test.error(format('SELECT * FROM mesflow.estimate(%L, price_list => %L)', :'cube', 'gold'));
SELECT * FROM test.error(format('SELECT * FROM mesflow.estimate(%L, quantity => 0)', :'cube'));
SELECT * FROM test.error(format('SELECT * FROM mesflow.estimate(%L, options => %L)', :'cube', '[1]'));
SELECT * FROM test.error(format('SELECT * FROM mesflow.estimate(%L, options => NULL)', :'cube'));
SELECT * FROM test.error(format('SELECT * FROM mesflow.estimate(%L, process => %L, options => %L)', :'cube', 'sls', '{"finish": "sanded"}'));

-- A company's own pricing function.
CREATE SCHEMA pricing;
CREATE FUNCTION pricing.flat(m mesflow.measurements, a mesflow.materials, p mesflow.processes, quantity integer, options jsonb, rates jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
  IF options ->> 'note' = 'raise' THEN
    RAISE EXCEPTION 'the press is broken' USING DETAIL = 'secret';
  ELSIF options ->> 'note' = 'assert' THEN
    ASSERT false, 'the press is gone';
  ELSIF options ->> 'note' = 'null' THEN
    RETURN NULL;
  ELSIF options ->> 'note' = 'object' THEN
    RETURN '{"amount": 1}';
  ELSIF options ->> 'note' = 'no amount' THEN
    RETURN '[{"line": "flat"}]';
  ELSIF options ->> 'note' = 'text amount' THEN
    RETURN '[{"line": "flat", "amount": "much"}]';
  ELSIF options ->> 'note' = 'negative' THEN
    RETURN '[{"line": "flat", "amount": 1}, {"line": "discount", "amount": -2}]';
  ELSIF options ->> 'note' = 'too much' THEN
    RETURN '[{"line": "flat", "amount": 1e16}]';
  ELSIF options ->> 'note' = 'empty' THEN
    RETURN '[]';
  ELSIF options ->> 'note' = 'fractions' THEN
    RETURN '[{"line": "third", "amount": 3.333}, {"line": "discount", "amount": -0.001}]';
  ELSIF options ->> 'note' = 'plain' THEN
    RETURN '[{"line": "third", "amount": 13.34}, {"line": "discount", "amount": -0.01}]';
  ELSIF options ->> 'note' = 'no such rate' THEN
    RETURN jsonb_build_array(mesflow.price_line('polish', 'piece', 1, 'h', rates, 'polishing', ''));
  END IF;
  RETURN jsonb_build_array(mesflow.price_line('flat', 'batch', 2 * quantity, '', rates, 'setup', 'flat'));
END
$$;
CREATE FUNCTION pricing.wrong(m mesflow.measurements, a mesflow.materials, p mesflow.processes, quantity integer, options jsonb, rates jsonb) RETURNS numeric
LANGUAGE sql AS 'SELECT 1';
UPDATE mesflow.processes SET pricing_function = 'pricing.flat' WHERE code = 'fdm';
SELECT total, test.lines(breakdown), error_code FROM mesflow.estimate(:'cube', 'pla', 'fdm', 3);
SELECT n AS note, e.total, test.lines(e.breakdown), e.error_code, e.error
  FROM unnest('{plain,fractions,raise,assert,"null",object,empty,no amount,text amount,negative,too much,no such rate}'::text[]) n
  CROSS JOIN LATERAL mesflow.estimate(:'cube', 'pla', 'fdm', 1, jsonb_build_object('note', n)) e;
-- A minimum lifts what is less than nothing, too; without one it is no price.
SELECT test.draft('no minimum');
DELETE FROM mesflow.rates WHERE price_list = 'no minimum' AND name = 'minimum';
SELECT total, error_code, error FROM mesflow.estimate(:'cube', 'pla', 'fdm', 1, '{"note": "negative"}', price_list => 'no minimum');
SELECT total, test.lines(breakdown) FROM mesflow.estimate(:'cube', 'pla', 'fdm', 3, '{"note": "plain"}', price_list => 'no minimum');
SELECT mesflow.request_quote(:'cube', 'pla', 'fdm', 1, '{"note": "raise"}') AS quote \gset
SELECT state, error_code, error FROM mesflow.quotes WHERE id = :'quote';
-- A function that is not there, or is another.
UPDATE mesflow.processes SET pricing_function = 'pricing.missing' WHERE code = 'fdm';
SELECT total, error_code, error FROM mesflow.estimate(:'cube', 'pla', 'fdm');
UPDATE mesflow.processes SET pricing_function = 'pricing.wrong' WHERE code = 'fdm';
SELECT total, error_code, error FROM mesflow.estimate(:'cube', 'pla', 'fdm');
UPDATE mesflow.processes SET pricing_function = 'not a name(' WHERE code = 'fdm';
SELECT total, error_code FROM mesflow.estimate(:'cube', 'pla', 'fdm');
UPDATE mesflow.processes SET pricing_function = 'pricing.flat; DROP TABLE mesflow.rates' WHERE code = 'fdm';
SELECT total, error_code FROM mesflow.estimate(:'cube', 'pla', 'fdm');
-- One that is broken costs only its own prices.
SELECT material, process, total IS NOT NULL AS total, error_code FROM mesflow.estimate(:'cube');
-- Replaced, it counts at once.
UPDATE mesflow.processes SET pricing_function = 'pricing.flat' WHERE code = 'fdm';
SELECT total FROM mesflow.estimate(:'cube', 'pla', 'fdm');
CREATE OR REPLACE FUNCTION pricing.flat(m mesflow.measurements, a mesflow.materials, p mesflow.processes, quantity integer, options jsonb, rates jsonb) RETURNS jsonb
LANGUAGE sql AS $$ SELECT '[{"line": "other", "amount": 100}]'::jsonb $$;
SELECT total FROM mesflow.estimate(:'cube', 'pla', 'fdm');

-- Codes, names, options and notes in any alphabet.
INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('золото 585 💍', 'Золото 585', 13.6);
INSERT INTO mesflow.processes (code, name, materials, options) VALUES
  ('литьё "по моделям"', 'Литьё', '{золото 585 💍}', '{"гравировка ✍": {"type": "text", "default": "нет"}, "note": {"type": "text"}}');
SELECT test.draft('рубли ₽');
INSERT INTO mesflow.rates (price_list, process, material, name, value, unit) VALUES
  ('рубли ₽', 'литьё "по моделям"', 'золото 585 💍', 'material', 5200, '₽/г'), ('рубли ₽', 'литьё "по моделям"', NULL, 'volume_time', 6, 'мин/см³'),
  ('рубли ₽', 'литьё "по моделям"', NULL, 'machine_hour', 100, '₽/ч');
SELECT test.activate('рубли ₽');
UPDATE mesflow.processes SET review_above = 10000000 WHERE code = 'литьё "по моделям"';
SELECT mesflow.request_quote(:'cube', 'золото 585 💍', 'литьё "по моделям"', 2, '{"гравировка ✍": "Юля + ёж 🦔 \"навсегда\"", "note": "быстрее!\nпожалуйста"}') AS quote \gset
SELECT material, process, options, state, total, test.lines(breakdown) FROM mesflow.quotes WHERE id = :'quote';
SELECT * FROM test.error(format('SELECT mesflow.request_quote(%L, %L, %L, 1, %L)', :'cube', 'золото 585 💍', 'литьё "по моделям"', '{"цвет": "красный"}'));
SELECT * FROM test.error(format('SELECT mesflow.request_quote(%L, %L, %L)', :'cube', 'серебро', 'литьё "по моделям"'));
SELECT count(*) AS problems FROM mesflow.verify_jobs();

-- It has the rights of its own owner, whoever asks for the price.
CREATE ROLE regress_mesflow_pricer;
GRANT USAGE ON SCHEMA pricing, mesflow TO regress_mesflow_pricer;
CREATE FUNCTION pricing.who(m mesflow.measurements, a mesflow.materials, p mesflow.processes, quantity integer, options jsonb, rates jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
  IF options ->> 'note' = 'read' THEN
    PERFORM FROM mesflow.partners;
  ELSIF options ->> 'note' = 'escape' THEN
    RESET SESSION AUTHORIZATION;
  END IF;
  RETURN jsonb_build_array(jsonb_build_object('line', current_user, 'amount', 1));
END
$$;
ALTER FUNCTION pricing.who OWNER TO regress_mesflow_pricer;
UPDATE mesflow.processes SET pricing_function = 'pricing.who' WHERE code = 'fdm';
SELECT breakdown -> 0 ->> 'line' AS runs_as, current_user <> 'regress_mesflow_pricer' AS back FROM mesflow.estimate(:'cube', 'pla', 'fdm');
SELECT n AS note, e.error_code, e.error FROM unnest('{read,escape}'::text[]) n
  CROSS JOIN LATERAL mesflow.estimate(:'cube', 'pla', 'fdm', 1, jsonb_build_object('note', n)) e;
SELECT current_user <> 'regress_mesflow_pricer' AS back;
DROP FUNCTION pricing.who;
DROP OWNED BY regress_mesflow_pricer;
DROP ROLE regress_mesflow_pricer;
