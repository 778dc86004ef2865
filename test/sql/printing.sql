-- What is measured besides volume and surface, and prices of prints that come from it.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common

-- A box with everything that can be measured of it.
CREATE FUNCTION test.full_box(x float8, y float8, z float8, other jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
  SELECT test.box($1, $2, $3, jsonb_build_object(
    'trapped_volume_mm3', 0, 'overlap_volume_mm3', 0, 'holes', 0, 'min_wall_mm', least($1, $2, $3), 'min_wall_at', ARRAY[0, 0, $3], 'wall_samples', 12,
    'wall_mm', array_fill(least($1, $2, $3), '{9}'), 'tight_box_mm', ARRAY[greatest($1, $2), least($1, $2), $3],
    'layer_area_mm2', array_fill($1 * $2, '{256}'), 'layer_perimeter_mm', array_fill(2 * ($1 + $2), '{256}'),
    'layer_up_mm2', array_fill(0::float8, '{255}') || $1 * $2, 'layer_down_mm2', $1 * $2 || array_fill(0::float8, '{255}')) || $4)
$$;
SELECT test.measured('box.stl', test.full_box(20, 30, 40)) AS box \gset
SELECT test.measured('old.stl', test.box(20, 30, 40)) AS old \gset
SELECT trapped_volume_mm3, overlap_volume_mm3, holes, min_wall_at, wall_samples, wall_mm, tight_box_mm, cardinality(layer_area_mm2) AS layers,
       layer_area_mm2[128], layer_perimeter_mm[128], layer_up_mm2[255:256], layer_down_mm2[1:2]
  FROM mesflow.measurements WHERE model = :'box';
SELECT trapped_volume_mm3, holes, wall_mm, tight_box_mm, layer_area_mm2, layer_down_mm2 FROM mesflow.measurements WHERE model = :'old';

-- What cannot be is not stored.
SELECT label, (SELECT bool_or(e.error LIKE '23514%') FROM test.error(format('SELECT mesflow._record_measurement(%L, %L, %L)', sha256(convert_to(label, 'UTF8')), '', test.full_box(1, 1, 1, wrong))) e) AS refused
  FROM (VALUES ('255 layers', jsonb_build_object('layer_area_mm2', array_fill(1, '{255}'))), ('a layer below 0', jsonb_build_object('layer_up_mm2', array_fill(-1, '{256}'))),
          ('a layer unknown', jsonb_build_object('layer_area_mm2', array_fill(1, '{255}') || NULL::integer)), ('layers without end', jsonb_build_object('layer_down_mm2', array_fill('Infinity'::float8, '{256}'))),
          ('no number', jsonb_build_object('layer_perimeter_mm', array_fill('NaN'::float8, '{256}'))), ('no outlines', '{"layer_perimeter_mm": null}'), ('holes below 0', '{"holes": -1}'),
          ('a flat box', '{"tight_box_mm": [1, 2]}'), ('a wall below 0', '{"wall_mm": [-1, 0, 0, 0, 0, 0, 0, 0, 0]}'), ('few walls', '{"wall_mm": [1]}'), ('nowhere', '{"min_wall_at": [1, 2]}'),
          ('a cavity below 0', '{"trapped_volume_mm3": -1}'), ('overlaps without end', '{"overlap_volume_mm3": "Infinity"}')) AS w (label, wrong);

-- A print, line by line.
CREATE FUNCTION test.lines(model uuid, material text, process text, quantity integer DEFAULT 1, options jsonb DEFAULT '{}')
RETURNS TABLE (line text, quantity numeric, unit text, amount numeric, why text) LANGUAGE sql STABLE AS $$
  SELECT l.line, l.quantity, l.unit, l.amount, l.why FROM mesflow.estimate($1, $2, $3, $4, $5) e,
         jsonb_to_recordset(e.breakdown) AS l (line text, quantity numeric, unit text, amount numeric, why text) WHERE l.line IN ('material', 'support', 'machine', 'pattern')
$$;
SELECT line, quantity, unit, amount FROM test.lines(:'box', 'pla', 'fdm', 7);
SELECT line, why FROM test.lines(:'box', 'pla', 'fdm', 7);
SELECT line, why FROM test.lines(:'old', 'pla', 'fdm', 7);

-- By hand: what stands in it adds up to the quantity.
CREATE FUNCTION test.numbers(why text, unit text) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
  SELECT sum(m[1]::numeric) FROM regexp_matches($1, '([0-9.]+) ' || $2 || '\y', 'g') m
$$;
SELECT o.options, bool_and(l.quantity = 7 * CASE l.line WHEN 'machine' THEN round(test.numbers(split_part(l.why, ' / 60', 1), 'min') / 60, 4) ELSE round(test.numbers(l.why, 'cm3') * 1.24, 4) END) AS as_told
  FROM (VALUES ('{}'::jsonb), ('{"infill": 0}'), ('{"infill": 1}'), ('{"infill": 0.35, "layer_height": 0.1}'), ('{"wall_mm": 3}'), ('{"scale": 1.7}')) AS o (options)
 CROSS JOIN LATERAL test.lines(:'box', 'pla', 'fdm', 7, o.options) l GROUP BY o.options ORDER BY 1;

-- Of the same volume, a box that is all walls takes longer; more infill, more walls and thinner layers cost more.
SELECT test.measured('walls.stl', test.full_box(20, 30, 40, jsonb_build_object('layer_perimeter_mm', array_fill(500, '{256}')))) AS walls \gset
SELECT w.total > b.total AS walls_cost_more FROM mesflow.estimate(:'walls', 'pla', 'fdm') w, mesflow.estimate(:'box', 'pla', 'fdm') b;
SELECT option, bool_and(total >= before) AS never_less, max(total) > min(total) AS more
  FROM (SELECT option, e.total, lag(e.total) OVER (PARTITION BY option ORDER BY at) AS before
          FROM (SELECT 'infill' AS option, n AS at, jsonb_build_object('infill', n / 20.0) AS options FROM generate_series(0, 20) n
                UNION ALL SELECT 'wall_mm', n, jsonb_build_object('wall_mm', n / 2.0) FROM generate_series(1, 20) n
                UNION ALL SELECT 'layer_height', -n, jsonb_build_object('layer_height', n / 10.0) FROM generate_series(1, 3) n) o
         CROSS JOIN LATERAL mesflow.estimate(:'box', 'pla', 'fdm', 1, o.options) e) s GROUP BY option ORDER BY 1;

-- Layers that were not measured are those of a prism, here the box itself; scaled is the same as measured larger.
SELECT b.total = o.total AS same FROM mesflow.estimate(:'box', 'pla', 'fdm') b, mesflow.estimate(:'old', 'pla', 'fdm') o;
SELECT test.measured('twice.stl', test.full_box(40, 60, 80)) AS twice \gset
SELECT s.breakdown = t.breakdown AS same FROM mesflow.estimate(:'box', 'pla', 'fdm', 3, '{"scale": 2}') s, mesflow.estimate(:'twice', 'pla', 'fdm', 3) t;
SELECT test.measured('flat.stl', test.box(10, 10, 0)) AS flat \gset
SELECT line, quantity, why FROM test.lines(:'flat', 'pla', 'fdm');

-- Supports are printed too.
SELECT test.measured('held.stl', test.full_box(20, 30, 40, '{"support_volume_mm3": 4000}')) AS held \gset
SELECT line, quantity, why FROM test.lines(:'held', 'pla', 'fdm') WHERE line <> 'material';

-- A printer of one's own; what is no printer.
SELECT mesflow.request_quote(:'box', 'pla', 'fdm') AS quote \gset
SELECT total AS before FROM mesflow.quotes WHERE id = :'quote' \gset
UPDATE mesflow.processes SET printer = '{"line_width": 0.6, "outer_speed": 60, "wall_speed": 90, "time_factor": 1.1, "shell_mm": 1.2}' WHERE code = 'fdm';
SELECT line, why FROM test.lines(:'box', 'pla', 'fdm');
SELECT same, total = :before AS as_before FROM mesflow.recompute_quote(:'quote');
SELECT printer, e.error
  FROM unnest('{"[]","3","{\"speed\": 3}","{\"wall_speed\": 0}","{\"wall_speed\": \"fast\"}","{\"time_factor\": 1e300}","{\"line_width\": null}","{}"}'::text[]) printer
  LEFT JOIN LATERAL test.error(format('UPDATE mesflow.processes SET printer = %L WHERE code = %L', printer, 'fdm')) e ON true;
SELECT e.error FROM test.error(format('UPDATE mesflow.processes SET printer = %L WHERE code = %L', jsonb_build_object('x' || repeat('ё', 100), 1), 'fdm')) e;
UPDATE mesflow.processes SET printer = NULL WHERE code = 'fdm';
SELECT line, why FROM test.lines(:'box', 'pla', 'fdm');

-- Patterns for casting, larger by the shrinkage.
UPDATE mesflow.processes SET printer = '{"line_width": 0.1}' WHERE code = 'casting';
SELECT test.measured('ring.stl', test.full_box(10, 10, 4)) AS ring \gset
SELECT line, why FROM test.lines(:'ring', 'gold750', 'casting') WHERE line = 'machine';
SELECT error_code, error FROM mesflow.estimate(:'ring', 'gold750', 'casting');
SELECT mesflow.revise_price_list('[{"process": "casting", "material": null, "name": "machine_hour", "value": 6, "unit": "EUR/h", "public": false}]', 'wax printer') AS list \gset
SELECT line, why FROM test.lines(:'ring', 'gold750', 'casting') WHERE line = 'machine';

-- A rod that fits turned about an axis; walls and boxes grow with the scale.
SELECT test.measured('rod.stl', test.full_box(215, 215, 5, '{"tight_box_mm": [249, 56, 5]}')) AS rod \gset
SELECT options, error_code, error FROM (VALUES ('{}'::jsonb), ('{"scale": 1.01}')) AS o (options) CROSS JOIN LATERAL mesflow.estimate(:'rod', 'pla', 'fdm', 1, o.options);
UPDATE mesflow.processes SET min_wall_mm = 1, max_size_mm = NULL WHERE code = 'fdm';
SELECT test.measured('thin.stl', test.full_box(20, 30, 40, '{"min_wall_mm": 0.8}')) AS thin \gset
SELECT options, error_code, error FROM (VALUES ('{}'::jsonb), ('{"scale": 1.25}'), ('{"scale": 1.2}')) AS o (options) CROSS JOIN LATERAL mesflow.estimate(:'thin', 'pla', 'fdm', 1, o.options);
SELECT * FROM mesflow.check_price_list('example');
