-- The built-in pricing functions against the same computed by hand.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common

-- Two processes that have every option, and a draft that has every rate.
INSERT INTO mesflow.processes (code, name, pricing_function, materials, options) VALUES
  ('print', 'Printing', 'mesflow.price_additive', '{pla,petg}',
   '{"infill": {"type": "number"}, "wall_mm": {"type": "number"}, "layer_height": {"type": "number", "default": 0.2, "min": 0.01}, "finish": {"type": "text"},
     "plating": {"type": "text"}, "engraving": {"type": "text"}, "scale": {"type": "number", "min": 0.1}}'),
  ('cast', 'Casting', 'mesflow.price_casting', '{gold750,brass}',
   '{"layer_height": {"type": "number", "default": 0.025, "min": 0.01}, "finish": {"type": "text"}, "plating": {"type": "text"}, "stones": {"type": "integer"},
     "stone": {"type": "text"}, "hallmark": {"type": "boolean"}, "engraving": {"type": "text"}, "scale": {"type": "number", "min": 0.1}}');
INSERT INTO mesflow.price_lists (code, currency) VALUES ('full', 'EUR');
INSERT INTO mesflow.rates (price_list, process, name, value)
SELECT 'full', p, name, value FROM (VALUES
  ('print', '{"material": 0.047, "support": 0.041, "support_share": 0.13, "support_infill": 0.15}'::jsonb),
  ('cast', '{"material": 0.021, "fine_gold": 98.43, "alloying": 0.61, "loss": 0.06, "wax": 1.83, "shrinkage": 0.031, "flask": 0.27, "sprue": 0.15,
             "casting": 0.91, "casting_piece": 1.07, "refining": 0.23, "setting": 3.53, "stone_zirconia": 1.13, "hallmark": 2.11}')) AS own (p, rates)
 CROSS JOIN LATERAL (SELECT key AS name, value::numeric FROM jsonb_each_text(own.rates || '{"volume_time": 3.71, "area_time": 0.29, "layer_time": 1.9,
   "machine_hour": 4.57, "finish_sanded": 0.083, "finish_sanded_piece": 1.51, "plating_gold": 1.37, "plating_gold_piece": 2.03, "engraving": 0.71,
   "labour_hour": 36.7, "labour_piece": 6.1, "labour_batch": 15.7, "setup": 5.03, "setup_piece": 0.43, "failure": 0.053, "margin": 0.29}')) r;

-- By hand. Quantities that nobody asked for, and rates that are missing, are NULL.
CREATE FUNCTION test.num(o jsonb, key text, otherwise numeric DEFAULT NULL) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT coalesce(($1 ->> $2)::numeric, $3)';
CREATE FUNCTION test.additive(r jsonb, m mesflow.measurements, density numeric, fineness numeric, n integer, o jsonb)
RETURNS TABLE (at numeric, line text, quantity numeric, rate numeric) LANGUAGE sql STABLE AS $$
  WITH part AS (SELECT round((m.volume_mm3 / 1000)::numeric, 4) AS v, round((m.area_mm2 / 100)::numeric, 4) AS a),
  walls AS (SELECT *, round(least(a * test.num(o, 'wall_mm', 1.2) / 10, v), 4) AS walls FROM part),
  made AS (SELECT *, walls + round((v - walls) * test.num(o, 'infill', 1), 4) AS made FROM walls),
  raw AS (SELECT *, CASE WHEN r ? 'support' THEN round(coalesce((m.support_volume_mm3 / 1000)::numeric, made * test.num(r, 'support_share', 0)), 4) ELSE 0 END AS raw FROM made),
  support AS (SELECT *, round(raw * test.num(r, 'support_infill', 1), 4) AS support FROM raw)
  SELECT 1, 'material', n * round(made * density, 4), test.num(r, 'material') FROM support
  UNION ALL SELECT 2, 'support', n * round(support * density, 4), test.num(r, 'support') FROM support WHERE support > 0
  UNION ALL SELECT 3, 'machine', n * round(((made + support) * test.num(r, 'volume_time', 0) + a * test.num(r, 'area_time', 0)
                   + ceil((m.bbox_max[3] - m.bbox_min[3])::numeric / test.num(o, 'layer_height', 0.2)) * test.num(r, 'layer_time', 0) / 60) / 60, 4), test.num(r, 'machine_hour') FROM support
$$;
CREATE FUNCTION test.casting(r jsonb, m mesflow.measurements, density numeric, fineness numeric, n integer, o jsonb)
RETURNS TABLE (at numeric, line text, quantity numeric, rate numeric) LANGUAGE sql STABLE AS $$
  WITH part AS (SELECT round((m.volume_mm3 / 1000)::numeric, 4) AS v, round((m.area_mm2 / 100)::numeric, 4) AS a,
                       (m.bbox_max[1] - m.bbox_min[1])::numeric AS x, (m.bbox_max[2] - m.bbox_min[2])::numeric AS y, (m.bbox_max[3] - m.bbox_min[3])::numeric AS z,
                       round((1 + test.num(r, 'shrinkage', 0)) ^ 3, 4) AS growth),
  weighed AS (SELECT *, v * density AS weight, v * density * (1 + test.num(r, 'loss', 0)) AS charged, round(v * growth, 4) AS wax FROM part)
  SELECT 1, 'material', n * round(charged * coalesce(fineness, 1), 4), test.num(r, CASE WHEN fineness IS NULL THEN 'material' ELSE 'fine_gold' END) FROM weighed
  UNION ALL SELECT 2, 'alloying', n * round(charged, 4), test.num(r, 'alloying') FROM weighed
  UNION ALL SELECT 3, 'pattern', n * wax, test.num(r, 'wax') FROM weighed
  UNION ALL SELECT 4, 'machine', n * round((wax * test.num(r, 'volume_time', 0) + a * test.num(r, 'area_time', 0)
                   + ceil(z / test.num(o, 'layer_height', 0.025)) * test.num(r, 'layer_time', 0) / 60) / 60, 4), test.num(r, 'machine_hour') FROM weighed
  UNION ALL SELECT 5, 'flask', n * round(x * y * z * growth / 1000, 4), test.num(r, 'flask') FROM weighed
  UNION ALL SELECT 6, 'casting', n * round(weight * (1 + test.num(r, 'sprue', 0)), 4), test.num(r, 'casting') FROM weighed
  UNION ALL SELECT 7, 'casting', n, test.num(r, 'casting_piece')
  UNION ALL SELECT 8, 'refining', n * round(weight * test.num(r, 'sprue', 0), 4), test.num(r, 'refining') FROM weighed
  UNION ALL SELECT 20, 'setting', n * test.num(o, 'stones'), test.num(r, 'setting') WHERE test.num(o, 'stones') > 0
  UNION ALL SELECT 21, 'stones', n * test.num(o, 'stones'), test.num(r, 'stone_' || (o ->> 'stone')) WHERE test.num(o, 'stones') > 0
  UNION ALL SELECT 22, 'hallmark', n, test.num(r, 'hallmark') WHERE (o ->> 'hallmark')::boolean
$$;
CREATE FUNCTION test.by_hand(list text, process text, material text, model uuid, n integer, o jsonb) RETURNS TABLE (at bigint, line text, quantity numeric, rate numeric, amount numeric)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
  r jsonb := (SELECT jsonb_object_agg(name, value) FROM mesflow.rates WHERE price_list = $1 AND process = $2);
  m mesflow.measurements := (SELECT f FROM mesflow.measurements f WHERE f.model = $4);
  c mesflow.materials := (SELECT f FROM mesflow.materials f WHERE f.code = $3);
  a numeric := round((m.area_mm2 / 100)::numeric, 4);
BEGIN
  RETURN QUERY
    WITH own AS (
      SELECT * FROM test.additive(r, m, c.density_g_cm3, c.fineness, n, o) WHERE $2 = 'print'
      UNION ALL SELECT * FROM test.casting(r, m, c.density_g_cm3, c.fineness, n, o) WHERE $2 = 'cast'
    ), base AS (
      SELECT at, line, quantity, rate, round(quantity * rate, 2) AS amount FROM (
        SELECT * FROM own
        UNION ALL SELECT 10, 'finishing', n * a, test.num(r, 'finish_' || (o ->> 'finish')) UNION ALL SELECT 11, 'finishing', n, test.num(r, 'finish_' || (o ->> 'finish') || '_piece')
        UNION ALL SELECT 12, 'plating', n * a, test.num(r, 'plating_' || (o ->> 'plating')) UNION ALL SELECT 13, 'plating', n, test.num(r, 'plating_' || (o ->> 'plating') || '_piece')
        UNION ALL SELECT 30, 'engraving', n * char_length(nullif(o ->> 'engraving', '')), test.num(r, 'engraving')
        UNION ALL SELECT 31, 'labour', n * round(test.num(r, 'labour_piece') / 60, 4), test.num(r, 'labour_hour')
        UNION ALL SELECT 32, 'labour', round(test.num(r, 'labour_batch') / 60, 4), test.num(r, 'labour_hour')
        UNION ALL SELECT 33, 'setup', n, test.num(r, 'setup_piece') UNION ALL SELECT 34, 'setup', 1, test.num(r, 'setup')) l
       WHERE quantity IS NOT NULL AND rate IS NOT NULL
    ), failing AS (SELECT * FROM base UNION ALL SELECT 40, 'failure', s, test.num(r, 'failure'), round(s * test.num(r, 'failure'), 2) FROM (SELECT sum(amount) AS s FROM base) b WHERE r ? 'failure'
    ), lines AS (SELECT * FROM failing UNION ALL SELECT 41, 'margin', s, test.num(r, 'margin'), round(s * test.num(r, 'margin'), 2) FROM (SELECT sum(amount) AS s FROM failing) b WHERE r ? 'margin')
    SELECT row_number() OVER (ORDER BY at), line, quantity, rate, amount FROM lines;
END
$$;
CREATE FUNCTION test.told(list text, process text, material text, model uuid, n integer, o jsonb) RETURNS TABLE (at bigint, line text, quantity numeric, rate numeric, amount numeric)
LANGUAGE sql STABLE AS $$
  SELECT l.at, v ->> 'line', (v ->> 'quantity')::numeric, (v ->> 'rate')::numeric, (v ->> 'amount')::numeric
    FROM mesflow.estimate($4, $3, $2, $5, $6, price_list => $1) e, jsonb_array_elements(e.breakdown) WITH ORDINALITY AS l (v, at) WHERE v ->> 'line' NOT IN ('rounding', 'tax')
$$;

-- Every line of many cases: a box, one with measured supports, a thin one, and one that is no box at all.
CREATE TABLE test.models AS
  SELECT name, test.measured(name, result) AS model FROM (VALUES
    ('box.stl', test.box(10.1, 20.3, 40.7)), ('held.stl', test.box(10.1, 20.3, 40.7, '{"support_volume_mm3": 1777.77777}')), ('free.stl', test.box(5, 5, 5, '{"support_volume_mm3": 0}')),
    ('thin.stl', test.box(30, 30, 0.8)), ('ring.stl', test.box(21, 21, 6, '{"volume_mm3": 412.987654321, "area_mm2": 987.654321012, "bbox_min": [-1.5, -2.5, -3.25]}'))) AS m (name, result);
CREATE TABLE test.cases AS
  SELECT m.name, m.model, p.*, n FROM test.models m
   CROSS JOIN (VALUES ('print', 'pla', '{}'::jsonb), ('print', 'petg', '{"infill": 0.3, "finish": "sanded", "plating": "gold"}'),
     ('print', 'pla', '{"infill": 0, "wall_mm": 0.7, "layer_height": 0.15, "engraving": "Åse 🎉🎉"}'), ('cast', 'gold750', '{}'),
     ('cast', 'gold750', '{"finish": "sanded", "plating": "gold", "stones": 7, "stone": "zirconia", "hallmark": true, "engraving": "❤️ 2026"}'),
     ('cast', 'brass', '{"stones": 3, "stone": "none", "hallmark": false, "plating": "none", "engraving": "", "layer_height": 0.1}')) AS p (process, material, options)
   CROSS JOIN unnest('{1,7,1000000}'::integer[]) n;
-- Of a list, what differs between its lines and those by hand.
CREATE FUNCTION test.differences(list text) RETURNS TABLE (list text, cases bigint, lines bigint, different bigint) LANGUAGE sql STABLE AS $$
  SELECT $1, count(DISTINCT c), count(*), count(*) FILTER (WHERE (d.by_hand) IS DISTINCT FROM (d.told))
    FROM test.cases c CROSS JOIN LATERAL (
      SELECT h AS by_hand, t AS told FROM test.by_hand($1, c.process, c.material, c.model, c.n, c.options) h FULL JOIN test.told($1, c.process, c.material, c.model, c.n, c.options) t USING (at)) d
$$;
SELECT * FROM test.differences('full');

-- What is written there, of the fullest case of each.
SELECT l ->> 'line' AS line, l ->> 'per' AS per, l ->> 'quantity' AS quantity, l ->> 'unit' AS unit, l ->> 'rate' AS rate, l ->> 'amount' AS amount, l ->> 'why' AS why
  FROM test.cases c CROSS JOIN LATERAL mesflow.estimate(c.model, c.material, c.process, 7, c.options, price_list => 'full') e, jsonb_array_elements(e.breakdown) l
 WHERE c.name = 'held.stl' AND c.material IN ('petg', 'gold750') AND c.options ? 'finish' AND c.n = 7;
-- Supports: measured, measured as none, and a share where they were not measured.
SELECT c.name, test.lines(jsonb_path_query_array(e.breakdown, '$[*] ? (@.line == "support")')) AS support,
       jsonb_path_query_first(e.breakdown, '$[*] ? (@.line == "support").why') AS why
  FROM test.cases c CROSS JOIN LATERAL mesflow.estimate(c.model, c.material, c.process, 1, c.options, price_list => 'full') e WHERE c.process = 'print' AND c.options = '{}' AND c.n = 1 ORDER BY 1;

-- Each rate twice as high, in a draft of its own: the lines are again those by hand, exactly those change that are made from it, and those that are a share of them.
CREATE FUNCTION test.copy_list(code text, lacks_process text, lacks text, doubled text) RETURNS text LANGUAGE sql AS $$
  INSERT INTO mesflow.price_lists (code, currency) VALUES ($1, 'EUR');
  INSERT INTO mesflow.rates (price_list, process, name, value) SELECT $1, process, name, CASE WHEN name = $4 THEN 2 ELSE 1 END * value
    FROM mesflow.rates WHERE price_list = 'full' AND (process, name) IS DISTINCT FROM ($2, $3);
  SELECT $1;
$$;
CREATE TABLE test.rates AS SELECT process, name FROM mesflow.rates WHERE price_list = 'full';
CREATE TABLE test.names AS SELECT DISTINCT name FROM test.rates;
SELECT count(test.copy_list('double ' || name, '', '', name)) AS lists FROM test.names;
SELECT count(*) AS rates, sum(d.cases) AS cases, sum(d.lines) AS lines, sum(d.different) AS different
  FROM test.names n CROSS JOIN LATERAL test.differences('double ' || n.name) d;
CREATE FUNCTION test.changed(list text, process text) RETURNS TABLE (lines text, rise text) LANGUAGE sql STABLE AS $$
  SELECT string_agg(DISTINCT t.line, ', '), CASE WHEN count(*) = 0 THEN '' WHEN sum(t.amount) > sum(f.amount) AND bool_and(t.amount > f.amount) THEN 'all rise' ELSE 'no' END
    FROM test.cases c CROSS JOIN LATERAL test.told($1, c.process, c.material, c.model, 7, c.options) t JOIN LATERAL test.told('full', c.process, c.material, c.model, 7, c.options) f USING (at)
   WHERE c.name IN ('box.stl', 'held.stl') AND c.n = 7 AND c.process = $2 AND t <> f AND (t.rate <> f.rate OR t.line NOT IN ('failure', 'margin'))
$$;
SELECT n.name, p.lines AS printed, p.rise, c.lines AS cast, c.rise
  FROM test.names n CROSS JOIN LATERAL test.changed('double ' || n.name, 'print') p CROSS JOIN LATERAL test.changed('double ' || n.name, 'cast') c ORDER BY 1;
SELECT count(*) AS prices, count(*) FILTER (WHERE d.unit_price > f.unit_price) AS higher, count(*) FILTER (WHERE d.unit_price < f.unit_price) AS lower
  FROM test.names n CROSS JOIN test.cases c CROSS JOIN LATERAL mesflow.estimate(c.model, c.material, c.process, c.n, c.options, price_list => 'double ' || n.name) d
 CROSS JOIN LATERAL mesflow.estimate(c.model, c.material, c.process, c.n, c.options, price_list => 'full') f WHERE c.n < 1000000;

-- Each rate removed: its line goes, or changes, where it may, and is named where it may not.
SELECT count(test.copy_list('no ' || process || ' ' || name, process, name, '')) AS lists FROM test.rates;
SELECT p AS process, n.name, coalesce(min(e.error), 'changes: ' || coalesce((
         SELECT string_agg(DISTINCT f.line, ', ') FROM test.cases c CROSS JOIN LATERAL test.told('full', c.process, c.material, c.model, 7, c.options) f
          WHERE c.name = 'box.stl' AND c.n = 7 AND c.process = p
            AND NOT EXISTS (SELECT FROM test.told('no ' || p || ' ' || n.name, c.process, c.material, c.model, 7, c.options) t WHERE (t.line, t.quantity, t.rate) = (f.line, f.quantity, f.rate))
            AND (f.line = n.name OR f.line NOT IN ('failure', 'margin'))), 'nothing')) AS without
  FROM test.rates n CROSS JOIN LATERAL (SELECT n.process AS p) q
 CROSS JOIN test.cases c CROSS JOIN LATERAL mesflow.estimate(c.model, c.material, c.process, 7, c.options, price_list => 'no ' || p || ' ' || n.name) e
 WHERE c.process = p AND c.name = 'box.stl' AND c.n = 7
 GROUP BY p, n.name ORDER BY 1, 2;

SELECT DISTINCT c.process, o AS options, e.error_code, e.error
  FROM test.cases c CROSS JOIN unnest('{"{\"finish\": \"gilded\"}","{\"plating\": \"copper\"}","{\"stones\": 1, \"stone\": \"ruby\"}"}'::jsonb[]) o
 CROSS JOIN LATERAL mesflow.estimate(c.model, c.material, c.process, 1, o, price_list => 'full') e
 WHERE c.name = 'box.stl' AND c.material IN ('pla', 'brass') AND (c.process = 'cast' OR NOT o ? 'stones') ORDER BY 1, 4;

-- A scaled model costs what a model of that size costs, to the byte.
CREATE TABLE test.scaled AS
  SELECT s, test.measured('scaled ' || s, test.box(10.1 * s, 20.3 * s, 40.7 * s, jsonb_build_object('support_volume_mm3', 1777.77777 * s ^ 3))) AS model FROM unnest('{0.5,2,3}'::float8[]) s;
SELECT s AS scale, count(*) AS cases, count(*) FILTER (WHERE (a.*)::text = (b.*)::text) AS same
  FROM test.scaled m
 CROSS JOIN test.cases c CROSS JOIN LATERAL mesflow.estimate(c.model, c.material, c.process, c.n, c.options || jsonb_build_object('scale', s), price_list => 'full') a
 CROSS JOIN LATERAL mesflow.estimate(m.model, c.material, c.process, c.n, c.options, price_list => 'full') b
 WHERE c.name = 'held.stl' AND a.total IS NOT NULL GROUP BY s ORDER BY s;
