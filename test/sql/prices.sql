-- Prices: from a formula's lines to what is to be paid, and which rates and lists hold.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common

-- 1 cm3 with 6 cm2 of surface, and 10 x 20 x 40 mm: 8 cm3, 28 cm2.
SELECT test.measured('cube.stl', test.box(10, 10, 10)) AS cube \gset
SELECT test.measured('block.stl', test.box(10, 20, 40)) AS block \gset

-- Without a printer; printing.sql has prices of prints.
UPDATE mesflow.processes SET printer = NULL WHERE code = 'fdm';

-- The formula, by hand, with the rates of the example written out: walls = min(area x wall, V), infill for the rest; weight by density; time by
-- volume and by layers; set-up once; at least 8; the unit price in cents; discounts by quantity; 20 % tax on top.
CREATE TABLE test.cases (model uuid, volume numeric, area numeric, height numeric, process text, material text, quantity integer, options jsonb);
INSERT INTO test.cases
SELECT m.model, m.volume, m.area, m.height, p.process, p.material, q, p.options
  FROM (VALUES (:'cube'::uuid, 1, 6, 10), (:'block', 8, 28, 40)) AS m (model, volume, area, height)
 CROSS JOIN (VALUES ('fdm', 'pla', '{}'::jsonb), ('fdm', 'pla', '{"infill": 0}'), ('fdm', 'petg', '{"infill": 1}'),
                    ('fdm', 'pla', '{"infill": 0.333, "wall_mm": 0.4, "layer_height": 0.3}'), ('fdm', 'petg', '{"finish": "sanded"}'),
                    ('fdm', 'pla', '{"finish": "painted", "infill": 0.5, "layer_height": 0.1}'), ('sla', 'resin', '{"finish": "sanded"}'),
                    ('sla', 'resin', '{"layer_height": 0.1}'), ('sls', 'pa12', '{"finish": "dyed"}')) AS p (process, material, options)
 CROSS JOIN unnest('{1,2,7,49,50,199,200,1000,1000000}'::integer[]) q;
CREATE VIEW test.by_hand AS
  WITH given AS (
    SELECT c.*, coalesce((c.options ->> 'infill')::numeric, CASE c.process WHEN 'fdm' THEN 0.2 ELSE 1 END) AS infill,
           coalesce((c.options ->> 'wall_mm')::numeric, 1.2) / 10 AS wall, m.density_g_cm3 AS density,
           ceil(c.height / coalesce((c.options ->> 'layer_height')::numeric, CASE c.process WHEN 'fdm' THEN 0.2 ELSE 0.05 END)) AS layers,
           CASE c.material WHEN 'pla' THEN 0.045 WHEN 'petg' THEN 0.055 WHEN 'resin' THEN 0.12 ELSE 0.11 END AS per_g,
           CASE c.process WHEN 'fdm' THEN 3.75 WHEN 'sls' THEN 0.5 ELSE 0 END AS per_cm3, CASE c.process WHEN 'fdm' THEN 2 WHEN 'sla' THEN 9 ELSE 0 END AS per_layer,
           CASE c.process WHEN 'fdm' THEN 4.5 WHEN 'sla' THEN 2.5 ELSE 18 END AS per_h, CASE c.process WHEN 'sla' THEN 0.1 ELSE 0 END AS labour_h,
           CASE c.process || ' ' || coalesce(c.options ->> 'finish', '') WHEN 'fdm sanded' THEN 0.08 WHEN 'fdm painted' THEN 0.15 WHEN 'sla sanded' THEN 0.20
                WHEN 'sls dyed' THEN 0.04 ELSE 0 END AS per_cm2,
           CASE WHEN c.quantity >= 200 THEN 10 WHEN c.quantity >= 50 THEN 5 ELSE 0 END AS percent_off
      FROM test.cases c JOIN mesflow.materials m ON m.code = c.material
  ), made AS (
    SELECT g.*, round(least(area * wall, volume), 4) + round((volume - round(least(area * wall, volume), 4)) * infill, 4) AS made FROM given g
  ), lines AS (
    SELECT m.*, greatest(8, round(round(made * density, 4) * quantity * per_g, 2)
                + round(round((made * per_cm3 + layers * per_layer / 60) / 60, 4) * quantity * per_h, 2)
                + round(area * quantity * per_cm2, 2) + round(labour_h * quantity * 36, 2) + 5) AS lines FROM made m
  ), units AS (
    SELECT l.*, greatest(round(lines / quantity, 2), ceil(8.00 / quantity * 100) / 100) AS unit_price FROM lines l
  ), net AS (
    SELECT u.*, unit_price * quantity - round(unit_price * quantity * percent_off / 100, 2) AS net FROM units u
  )
  SELECT n.*, round(net * 0.2, 2) AS tax FROM net n;
SELECT count(*) AS cases, count(*) FILTER (WHERE e.unit_price = h.unit_price) AS unit_price, count(*) FILTER (WHERE e.net = h.net) AS net,
       count(*) FILTER (WHERE e.tax = h.tax) AS tax, count(*) FILTER (WHERE e.total = h.net + h.tax) AS total,
       count(*) FILTER (WHERE e.total = (SELECT sum((l ->> 'amount')::numeric) FROM jsonb_array_elements(e.breakdown) l)) AS adds_up,
       count(*) FILTER (WHERE h.unit_price * h.quantity = (SELECT sum((l ->> 'amount')::numeric) FROM jsonb_array_elements(e.breakdown) l
                                                           WHERE l ->> 'line' NOT IN ('quantity_discount', 'tax'))) AS times_quantity,
       count(*) FILTER (WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(e.breakdown) l
                                           WHERE round((l ->> 'quantity')::numeric * (l ->> 'rate')::numeric, 2) <> (l ->> 'amount')::numeric)) AS lines
  FROM test.by_hand h CROSS JOIN LATERAL mesflow.estimate(h.model, h.material, h.process, h.quantity, h.options) e;
-- A promise is the same number, from the same lines; what is above the limit is looked at.
CREATE TABLE test.promised AS
  SELECT h.*, mesflow.request_quote(h.model, h.material, h.process, h.quantity, h.options) AS quote FROM test.by_hand h;
SELECT count(*) AS cases, count(*) FILTER (WHERE (q.unit_price, q.net, q.tax, q.total) = (h.unit_price, h.net, h.tax, h.net + h.tax)) AS same,
       count(*) FILTER (WHERE q.breakdown::text = e.breakdown::text) AS same_bytes,
       count(*) FILTER (WHERE q.state = CASE WHEN q.total > 5000 THEN 'review' ELSE 'priced' END) AS states,
       count(*) FILTER (WHERE q.state = 'review' AND q.error_code = 'over_review_limit') AS review
  FROM test.promised h JOIN mesflow.quotes q ON q.id = h.quote
 CROSS JOIN LATERAL mesflow.estimate(h.model, h.material, h.process, h.quantity, h.options) e;
-- One of them, to read.
SELECT unit_price, net, tax, total, currency, lead_days FROM mesflow.estimate(:'cube', 'pla', 'fdm', 50, '{"finish": "sanded"}');
SELECT l ->> 'line' AS line, l ->> 'per' AS per, l ->> 'quantity' AS quantity, l ->> 'unit' AS unit, l ->> 'rate' AS rate, l ->> 'amount' AS amount,
       l ->> 'public' AS public, l ->> 'why' AS why
  FROM mesflow.estimate(:'cube', 'pla', 'fdm', 50, '{"finish": "sanded"}') e, jsonb_array_elements(e.breakdown) l;

-- A changed rate changes its line, and what follows from it.
CREATE FUNCTION test.copy_list(code text, currency text DEFAULT 'EUR', tax_rate numeric DEFAULT 0.2, tax_included boolean DEFAULT false, rounding numeric DEFAULT 0.01)
RETURNS text LANGUAGE sql AS $$
  INSERT INTO mesflow.price_lists (code, currency, tax_rate, tax_included, rounding) VALUES ($1, $2, $3, $4, $5);
  INSERT INTO mesflow.rates (price_list, process, material, name, value, unit, public)
    SELECT $1, process, material, name, value, unit, public FROM mesflow.rates WHERE price_list = 'example';
  SELECT $1;
$$;
CREATE TABLE test.doubled AS
  SELECT test.copy_list(n) AS list FROM unnest('{material,volume_time,layer_time,machine_hour,finish_sanded,finish_painted,setup}'::text[]) n;
UPDATE mesflow.rates SET value = value * 2 WHERE price_list = name AND (material IS NULL OR material = 'pla') AND (process IS NULL OR process = 'fdm');
SELECT list, (SELECT string_agg(n ->> 'line', ', ' ORDER BY n ->> 'line')
                FROM mesflow.estimate(:'cube', 'pla', 'fdm', 10, '{"finish": "sanded"}') o
               CROSS JOIN mesflow.estimate(:'cube', 'pla', 'fdm', 10, '{"finish": "sanded"}', price_list => list) c
               CROSS JOIN jsonb_array_elements(c.breakdown) n
               WHERE NOT o.breakdown @> jsonb_build_array(n)) AS changed_lines
  FROM test.doubled ORDER BY list;

-- The most specific rate wins: general, material's, process's, both. It also says whether customers see the line.
SELECT test.copy_list('specific');
CREATE VIEW test.setup AS
  SELECT l -> 'amount' AS setup, l -> 'public' AS public
    FROM mesflow.models m CROSS JOIN LATERAL mesflow.estimate(m.id, 'pla', 'fdm', price_list => 'specific') e, jsonb_array_elements(e.breakdown) l
   WHERE m.filename = 'cube.stl' AND l ->> 'line' = 'setup';
SELECT * FROM test.setup;
INSERT INTO mesflow.rates (price_list, process, material, name, value) VALUES ('specific', NULL, 'pla', 'setup', 6);
SELECT * FROM test.setup;
INSERT INTO mesflow.rates (price_list, process, material, name, value) VALUES ('specific', 'fdm', NULL, 'setup', 7);
SELECT * FROM test.setup;
INSERT INTO mesflow.rates (price_list, process, material, name, value, public) VALUES ('specific', 'fdm', 'pla', 'setup', 8, false);
SELECT * FROM test.setup;
INSERT INTO mesflow.rates (price_list, process, material, name, value) VALUES ('specific', 'sla', 'resin', 'setup', 99);
SELECT * FROM test.setup;
DELETE FROM mesflow.rates WHERE price_list = 'specific' AND name = 'setup' AND (process IS NOT NULL OR material IS NOT NULL);
UPDATE mesflow.rates SET public = false WHERE price_list = 'specific' AND name = 'setup';
SELECT * FROM test.setup;

-- Rounding of the unit price, and tax on top or included, in currencies with and without decimals.
SELECT test.copy_list('on top', 'CHF', 0.081, false, 0.05), test.copy_list('included', 'RUB', 0.20, true, 0.05), test.copy_list('no tax', 'EUR', 0, false, 0.25),
       test.copy_list('coarse', 'JPY', 0.1, true, 100), test.copy_list('fine', 'KWD', 0.05, false, 0.005);
UPDATE mesflow.rates SET value = 12345 WHERE price_list = 'coarse' AND name = 'setup';
SELECT l.code, q AS quantity, e.unit_price, e.net, e.tax, e.total, e.currency, e.unit_price % l.rounding = 0 AS rounded,
       e.total = e.net + e.tax AND e.total = (SELECT sum((b ->> 'amount')::numeric) FROM jsonb_array_elements(e.breakdown) b) AS adds_up,
       e.unit_price * q = CASE WHEN l.tax_included THEN e.total ELSE e.net END AS times_quantity,
       CASE WHEN l.tax_included THEN round(e.total * l.tax_rate / (1 + l.tax_rate), d) ELSE round(e.net * l.tax_rate, d) END = e.tax AS tax_right
  FROM mesflow.price_lists l CROSS JOIN unnest('{1,3,77}'::integer[]) q CROSS JOIN LATERAL mesflow.estimate(:'block', 'pla', 'fdm', q, price_list => l.code) e
 CROSS JOIN LATERAL mesflow._currency_digits(l.currency) d
 WHERE l.code IN ('on top', 'included', 'no tax', 'coarse', 'fine') ORDER BY 1, 2;
SELECT b ->> 'line' AS line, b ->> 'amount' AS amount, b ->> 'why' AS why FROM mesflow.estimate(:'block', 'pla', 'fdm', 3, price_list => 'included') e, jsonb_array_elements(e.breakdown) b
 WHERE b ->> 'line' IN ('rounding', 'tax');
-- What costs something does not become free: at least one step of rounding.
SELECT e.unit_price, e.total FROM mesflow.estimate(:'block', 'pla', 'fdm', 1000000, price_list => 'coarse') e;

-- A partner's own list, until another is named; a list that has not come yet prices nobody who does not name it.
UPDATE mesflow.partners SET price_list = 'on top' WHERE code = 'acme';
UPDATE mesflow.price_lists SET state = 'active' WHERE code = 'on top';
UPDATE mesflow.price_lists SET state = 'active', valid_from = now() + interval '1 day' WHERE code = 'included';
SELECT test.measured('acme.stl', test.box(10, 10, 10), 'acme') AS acme \gset
SELECT (mesflow.estimate(:'acme', 'pla', 'fdm', partner => 'acme')).currency AS own,
       (mesflow.estimate(:'acme', 'pla', 'fdm', partner => 'acme', price_list => 'included')).currency AS named, (mesflow.estimate(:'cube', 'pla', 'fdm')).currency AS general;
SELECT mesflow.request_quote(:'acme', 'pla', 'fdm', partner => 'acme') AS quote \gset
SELECT price_list, currency, expires_at - priced_at > interval '29 days' AS valid FROM mesflow.quotes WHERE id = :'quote';
UPDATE mesflow.partners SET price_list = 'fine' WHERE code = 'acme';
SELECT total, error_code, error FROM mesflow.estimate(:'acme', 'pla', 'fdm', partner => 'acme');

-- Rates that are missing are named.
SELECT test.copy_list('gaps');
DELETE FROM mesflow.rates WHERE price_list = 'gaps' AND ((name = 'setup' AND process IS NULL) OR (process = 'sls' AND name = 'volume_time') OR (process = 'casting' AND name = 'flask'));
INSERT INTO mesflow.rates (price_list, process, name, value) VALUES ('gaps', 'sla', 'setup', 0);
SELECT process, material, unit_price, breakdown IS NULL AS no_lines, error_code, error FROM mesflow.estimate(:'cube', price_list => 'gaps');
BEGIN;
UPDATE mesflow.price_lists SET state = 'retired' WHERE state = 'active';
SELECT process, material, total, error_code, error FROM mesflow.estimate(:'cube', process => 'fdm');
SELECT mesflow.request_quote(:'cube', 'pla', 'fdm') AS quote \gset
SELECT state, total, price_list, lead_days, error_code, priced_at IS NOT NULL AS answered FROM mesflow.quotes WHERE id = :'quote';
ROLLBACK;
SELECT count(*) AS problems FROM mesflow.verify_jobs();
