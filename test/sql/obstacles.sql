-- Why a model has no price: obstacles, a company's own pricing function, and estimates over all that goes together.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common

SELECT test.measured('cube.stl', test.box(10, 10, 10)) AS cube \gset
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
-- A box fits exactly where its sorted edges do, whichever way it lies.
SELECT count(*) AS boxes, count(*) FILTER (WHERE mesflow._fits(ARRAY[0, 0, 0], ARRAY[x, y, z], '{2,3,4}') = (s.e[1] <= 2 AND s.e[2] <= 3 AND s.e[3] <= 4)) AS right
  FROM generate_series(1, 5) x, generate_series(1, 5) y, generate_series(1, 5) z, LATERAL (SELECT array_agg(e ORDER BY e) AS e FROM unnest(ARRAY[x, y, z]) e) s;

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
CREATE FUNCTION pricing.flat(m mesflow._measurements, a mesflow.materials, p mesflow.processes, quantity integer, options jsonb, rates jsonb) RETURNS jsonb
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
  ELSIF options ->> 'note' = 'no such rate' THEN
    RETURN jsonb_build_array(mesflow._line('polish', 'piece', 1, 'h', rates, 'polishing', ''));
  END IF;
  RETURN jsonb_build_array(mesflow._line('flat', 'batch', 2 * quantity, '', rates, 'setup', 'flat'));
END
$$;
CREATE FUNCTION pricing.wrong(m mesflow._measurements, a mesflow.materials, p mesflow.processes, quantity integer, options jsonb, rates jsonb) RETURNS numeric
LANGUAGE sql AS 'SELECT 1';
UPDATE mesflow.processes SET pricing_function = 'pricing.flat' WHERE code = 'fdm';
SELECT total, test.lines(breakdown), error_code FROM mesflow.estimate(:'cube', 'pla', 'fdm', 3);
SELECT n AS note, e.total, test.lines(e.breakdown), e.error_code, e.error
  FROM unnest('{fractions,raise,assert,"null",object,empty,no amount,text amount,negative,too much,no such rate}'::text[]) n
  CROSS JOIN LATERAL mesflow.estimate(:'cube', 'pla', 'fdm', 1, jsonb_build_object('note', n)) e;
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
CREATE OR REPLACE FUNCTION pricing.flat(m mesflow._measurements, a mesflow.materials, p mesflow.processes, quantity integer, options jsonb, rates jsonb) RETURNS jsonb
LANGUAGE sql AS $$ SELECT '[{"line": "other", "amount": 100}]'::jsonb $$;
SELECT total FROM mesflow.estimate(:'cube', 'pla', 'fdm');

-- Codes, names, options and notes in any alphabet.
INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('золото 585 💍', 'Золото 585', 13.6);
INSERT INTO mesflow.processes (code, name, materials, options) VALUES
  ('литьё "по моделям"', 'Литьё', '{золото 585 💍}', '{"гравировка ✍": {"type": "text", "default": "нет"}, "note": {"type": "text"}}');
INSERT INTO mesflow.rates (price_list, process, material, name, value, unit) VALUES
  ('example', 'литьё "по моделям"', 'золото 585 💍', 'material', 5200, '₽/г'), ('example', 'литьё "по моделям"', NULL, 'build_rate', 10, 'см³/ч'),
  ('example', 'литьё "по моделям"', NULL, 'machine_hour', 100, '₽/ч');
UPDATE mesflow.processes SET review_above = 1000000 WHERE code = 'литьё "по моделям"';
SELECT mesflow.request_quote(:'cube', 'золото 585 💍', 'литьё "по моделям"', 2, '{"гравировка ✍": "Юля + ёж 🦔 \"навсегда\"", "note": "быстрее!\nпожалуйста"}') AS quote \gset
SELECT material, process, options, state, total, test.lines(breakdown) FROM mesflow.quotes WHERE id = :'quote';
SELECT * FROM test.error(format('SELECT mesflow.request_quote(%L, %L, %L, 1, %L)', :'cube', 'золото 585 💍', 'литьё "по моделям"', '{"цвет": "красный"}'));
SELECT * FROM test.error(format('SELECT mesflow.request_quote(%L, %L, %L)', :'cube', 'серебро', 'литьё "по моделям"'));
SELECT count(*) AS problems FROM mesflow.verify_jobs();

-- It has the rights of its own owner, whoever asks for the price.
CREATE ROLE regress_mesflow_pricer;
GRANT USAGE ON SCHEMA pricing, mesflow TO regress_mesflow_pricer;
CREATE FUNCTION pricing.who(m mesflow._measurements, a mesflow.materials, p mesflow.processes, quantity integer, options jsonb, rates jsonb) RETURNS jsonb
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
