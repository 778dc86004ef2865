-- Prices: the additive formula, rates, taxes, rounding and obstacles.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common

-- 1,000 mm3 = 1 cm3 with 6 cm2 of surface; 10 x 20 x 40 mm: 8 cm3, 28 cm2.
SELECT test.measured('cube.stl', test.box(10, 10, 10)) AS cube \gset
SELECT test.measured('block.stl', test.box(10, 20, 40)) AS block \gset

-- The formula, by hand: walls = min(area x wall, V), infill for the rest; weight by density; time by the build rate; set-up once.
CREATE TABLE test.cases (model uuid, volume numeric, area numeric, process text, material text, quantity integer, options jsonb);
INSERT INTO test.cases
SELECT m.model, m.volume, m.area, p.process, p.material, q, p.options
  FROM (VALUES (:'cube'::uuid, 1, 6), (:'block', 8, 28)) AS m (model, volume, area)
 CROSS JOIN (VALUES ('fdm', 'pla', '{}'::jsonb), ('fdm', 'pla', '{"infill": 0}'), ('fdm', 'petg', '{"infill": 1}'),
                    ('fdm', 'pla', '{"infill": 0.333, "wall_mm": 0.4}'), ('fdm', 'petg', '{"finish": "sanded"}'),
                    ('fdm', 'pla', '{"finish": "painted", "infill": 0.5}'), ('sla', 'resin', '{"finish": "sanded"}'),
                    ('sls', 'pa12', '{"finish": "dyed"}')) AS p (process, material, options)
 CROSS JOIN unnest('{1,2,7,1000,1000000}'::integer[]) q;
CREATE VIEW test.by_hand AS
  WITH given AS (
    SELECT c.*, coalesce((c.options ->> 'infill')::numeric, CASE c.process WHEN 'fdm' THEN 0.2 ELSE 1 END) AS infill,
           coalesce((c.options ->> 'wall_mm')::numeric, 1.2) / 10 AS wall, m.density_g_cm3 AS density,
           (SELECT value FROM mesflow.rates r WHERE r.name = 'material' AND r.material = c.material) AS per_g,
           (SELECT value FROM mesflow.rates r WHERE r.name = 'build_rate' AND r.process = c.process) AS build_rate,
           (SELECT value FROM mesflow.rates r WHERE r.name = 'machine_hour' AND r.process = c.process) AS per_h,
           coalesce((SELECT value FROM mesflow.rates r WHERE r.name = 'finish_' || (c.options ->> 'finish') AND r.process = c.process), 0) AS per_cm2
      FROM test.cases c JOIN mesflow.materials m ON m.code = c.material
  ), solid AS (
    SELECT g.*, round(least(area * wall, volume), 4) + round((volume - round(least(area * wall, volume), 4)) * infill, 4) AS solid FROM given g
  ), lines AS (
    SELECT s.*, round(round(solid * density, 4) * quantity * per_g, 2) + round(round(solid / build_rate, 4) * quantity * per_h, 2)
                + round(area * quantity * per_cm2, 2) + 5 AS lines FROM solid s
  )
  SELECT l.*, round(lines / quantity, 2) AS unit_price, round(lines / quantity, 2) * quantity AS net,
         round(round(lines / quantity, 2) * quantity * 0.2, 2) AS tax FROM lines l;
SELECT count(*) AS cases, count(*) FILTER (WHERE e.unit_price = h.unit_price) AS unit_price, count(*) FILTER (WHERE e.net = h.net) AS net,
       count(*) FILTER (WHERE e.tax = h.tax) AS tax, count(*) FILTER (WHERE e.total = h.net + h.tax) AS total,
       count(*) FILTER (WHERE e.total = (SELECT sum((l ->> 'amount')::numeric) FROM jsonb_array_elements(e.breakdown) l)) AS adds_up,
       count(*) FILTER (WHERE h.unit_price * h.quantity = (SELECT sum((l ->> 'amount')::numeric) FROM jsonb_array_elements(e.breakdown) l
                                                           WHERE l ->> 'line' <> 'tax')) AS before_tax,
       count(*) FILTER (WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(e.breakdown) l WHERE l ->> 'line' NOT IN ('rounding', 'tax')
                                           AND round((l ->> 'quantity')::numeric * (l ->> 'rate')::numeric, 2) <> (l ->> 'amount')::numeric)) AS lines
  FROM test.by_hand h CROSS JOIN LATERAL mesflow.estimate(h.model, h.material, h.process, h.quantity, h.options) e;
-- A promise is the same number; what is above the limit is looked at.
CREATE TABLE test.promised AS
  SELECT h.*, mesflow.request_quote(h.model, h.material, h.process, h.quantity, h.options) AS quote FROM test.by_hand h;
SELECT count(*) AS cases, count(*) FILTER (WHERE (q.unit_price, q.net, q.tax, q.total) = (h.unit_price, h.net, h.tax, h.net + h.tax)) AS same,
       count(*) FILTER (WHERE q.state = CASE WHEN q.total > 5000 THEN 'review' ELSE 'priced' END) AS states,
       count(*) FILTER (WHERE q.state = 'review' AND q.error_code = 'over_review_limit') AS review
  FROM test.promised h JOIN mesflow.quotes q ON q.id = h.quote;
-- Two of them, to read.
SELECT unit_price, net, tax, total, currency, lead_days FROM mesflow.estimate(:'cube', 'pla', 'fdm', 7, '{"finish": "sanded"}');
SELECT l ->> 'line' AS line, l ->> 'per' AS per, l ->> 'quantity' AS quantity, l ->> 'unit' AS unit, l ->> 'rate' AS rate, l ->> 'amount' AS amount,
       l ->> 'public' AS public, l ->> 'why' AS why
  FROM mesflow.estimate(:'cube', 'pla', 'fdm', 7, '{"finish": "sanded"}') e, jsonb_array_elements(e.breakdown) l;
SELECT unit_price, total, test.lines(breakdown) FROM mesflow.estimate(:'block', 'resin', 'sla', 1);

-- A changed rate changes its line, and what follows from it.
CREATE FUNCTION test.copy_list(code text) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO mesflow.price_lists (code, currency, tax_rate, tax_included, rounding, state)
    SELECT $1, currency, tax_rate, tax_included, rounding, 'draft' FROM mesflow.price_lists WHERE code = 'example';
  INSERT INTO mesflow.rates SELECT $1, process, material, name, value, unit, public FROM mesflow.rates WHERE price_list = 'example';
$$;
SELECT n AS list, test.copy_list(n) FROM unnest('{material,build_rate,machine_hour,finish_sanded,finish_painted,setup}'::text[]) n;
UPDATE mesflow.rates SET value = value * 2 WHERE price_list = name AND (material IS NULL OR material = 'pla') AND (process IS NULL OR process = 'fdm');
SELECT list, (SELECT string_agg(n ->> 'line', ', ' ORDER BY n ->> 'line')
                FROM mesflow.estimate(:'cube', 'pla', 'fdm', 10, '{"finish": "sanded"}') o
               CROSS JOIN mesflow.estimate(:'cube', 'pla', 'fdm', 10, '{"finish": "sanded"}', price_list => list) c
               CROSS JOIN jsonb_array_elements(c.breakdown) n
               WHERE NOT o.breakdown @> jsonb_build_array(n)) AS changed_lines
  FROM unnest('{material,build_rate,machine_hour,finish_sanded,finish_painted,setup}'::text[]) list;

-- The most specific rate wins: general, material's, process's, both.
SELECT test.copy_list('specific');
CREATE VIEW test.setup AS
  SELECT l -> 'amount' AS setup, l -> 'public' AS public
    FROM test.cases c CROSS JOIN LATERAL mesflow.estimate(c.model, 'pla', 'fdm', price_list => 'specific') e, jsonb_array_elements(e.breakdown) l
   WHERE l ->> 'line' = 'setup' LIMIT 1;
SELECT * FROM test.setup;
INSERT INTO mesflow.rates (price_list, process, material, name, value) VALUES ('specific', NULL, 'pla', 'setup', 6);
SELECT * FROM test.setup;
INSERT INTO mesflow.rates (price_list, process, material, name, value) VALUES ('specific', 'fdm', NULL, 'setup', 7);
SELECT * FROM test.setup;
INSERT INTO mesflow.rates (price_list, process, material, name, value, public) VALUES ('specific', 'fdm', 'pla', 'setup', 8, false);
SELECT * FROM test.setup;
INSERT INTO mesflow.rates (price_list, process, material, name, value) VALUES ('specific', 'sla', 'resin', 'setup', 99);
SELECT * FROM test.setup;
DELETE FROM mesflow.rates WHERE price_list = 'specific' AND process = 'fdm' AND material = 'pla' AND name = 'setup';
SELECT * FROM test.setup;
-- Whether customers see a line is said by the rate that made it.
UPDATE mesflow.rates SET public = false WHERE price_list = 'specific' AND name = 'setup' AND process IS NULL AND material IS NULL;
SELECT * FROM test.setup;

-- Rounding of the unit price, and tax on top or included.
INSERT INTO mesflow.price_lists (code, currency, tax_rate, tax_included, rounding) VALUES
  ('on top', 'CHF', 0.081, false, 0.05), ('included', 'RUB', 0.20, true, 0.05), ('no tax', 'EUR', 0, false, 0.25), ('coarse', 'JPY', 0.1, true, 100);
INSERT INTO mesflow.rates SELECT l.code, process, material, name, value, unit, public
  FROM mesflow.rates r, mesflow.price_lists l WHERE r.price_list = 'example' AND l.code IN ('on top', 'included', 'no tax', 'coarse');
UPDATE mesflow.rates SET value = 12345 WHERE price_list = 'coarse' AND name = 'setup';
SELECT l.code, q AS quantity, e.unit_price, e.net, e.tax, e.total, e.currency, e.unit_price % l.rounding = 0 AS rounded,
       e.total = e.net + e.tax AND e.total = (SELECT sum((b ->> 'amount')::numeric) FROM jsonb_array_elements(e.breakdown) b) AS adds_up,
       e.unit_price * q = CASE WHEN l.tax_included THEN e.total ELSE e.net END AS times_quantity,
       CASE WHEN l.tax_included THEN round(e.total * l.tax_rate / (1 + l.tax_rate), 2) ELSE round(e.net * l.tax_rate, 2) END = e.tax AS tax_right
  FROM mesflow.price_lists l CROSS JOIN unnest('{1,3,77}'::integer[]) q CROSS JOIN LATERAL mesflow.estimate(:'block', 'pla', 'fdm', q, price_list => l.code) e
 WHERE l.code IN ('on top', 'included', 'no tax', 'coarse') ORDER BY 1, 2;
SELECT b ->> 'line' AS line, b ->> 'amount' AS amount, b ->> 'why' AS why FROM mesflow.estimate(:'block', 'pla', 'fdm', 3, price_list => 'included') e, jsonb_array_elements(e.breakdown) b
 WHERE b ->> 'line' IN ('rounding', 'tax');

-- What costs something does not become free: at least one step of rounding.
SELECT e.unit_price, e.total FROM mesflow.estimate(:'block', 'pla', 'fdm', 1000000, price_list => 'coarse') e;

-- A partner's own list, until another is named; the newest active list that has come, for the others.
UPDATE mesflow.partners SET price_list = 'on top' WHERE code = 'acme';
SELECT test.measured('acme.stl', test.box(10, 10, 10), 'acme') AS acme \gset
SELECT (mesflow.estimate(:'acme', 'pla', 'fdm', partner => 'acme')).currency AS own, (mesflow.estimate(:'acme', 'pla', 'fdm', partner => 'acme', price_list => 'included')).currency AS named,
       (mesflow.estimate(:'cube', 'pla', 'fdm')).currency AS general;
SELECT mesflow.request_quote(:'acme', 'pla', 'fdm', partner => 'acme') AS quote \gset
SELECT price_list, currency, expires_at - priced_at > interval '29 days' AS valid FROM mesflow.quotes WHERE id = :'quote';
BEGIN;
UPDATE mesflow.price_lists SET state = 'active', valid_from = now() + interval '1 day' WHERE code = 'included';
SELECT (mesflow.estimate(:'cube', 'pla', 'fdm')).currency AS tomorrow_is_another_day;
UPDATE mesflow.price_lists SET valid_from = clock_timestamp() WHERE code = 'included';
SELECT (mesflow.estimate(:'cube', 'pla', 'fdm')).currency AS it_has_come;
ROLLBACK;

-- Rates that are missing are named.
SELECT test.copy_list('gaps');
DELETE FROM mesflow.rates WHERE price_list = 'gaps' AND (name = 'setup' OR (process = 'sla' AND name = 'build_rate') OR name = 'finish_dyed');
UPDATE mesflow.rates SET value = 0 WHERE price_list = 'gaps' AND name = 'build_rate' AND process = 'sls';
SELECT process, unit_price, breakdown IS NULL AS no_lines, error_code, error FROM mesflow.estimate(:'cube', price_list => 'gaps');
BEGIN;
UPDATE mesflow.price_lists SET state = 'retired';
SELECT process, material, total, error_code, error FROM mesflow.estimate(:'cube');
SELECT mesflow.request_quote(:'cube', 'pla', 'fdm') AS quote \gset
SELECT state, total, price_list, lead_days, error_code, priced_at IS NOT NULL AS answered FROM mesflow.quotes WHERE id = :'quote';
ROLLBACK;
SELECT count(*) AS problems FROM mesflow.verify_jobs();
