-- What holds for every price: hundreds of catalogs, thrown by dice that fall the same way everywhere.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common

-- 0 to sides - 1; the same for the same text, whatever the version and the machine.
CREATE FUNCTION test.dice(what text, sides integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || substr(md5($1), 1, 7))::bit(28)::integer % $2 $$;
CREATE FUNCTION test.pick(what text, VARIADIC of text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $2[1 + test.dice($1, cardinality($2))] $$;

INSERT INTO mesflow.processes (code, name, pricing_function, materials, options) VALUES
  ('print', 'Printing', 'mesflow.price_additive', '{pla}',
   '{"infill": {"type": "number"}, "wall_mm": {"type": "number"}, "layer_height": {"type": "number", "default": 0.2, "min": 0.001}, "finish": {"type": "text"},
     "plating": {"type": "text"}, "engraving": {"type": "text"}, "scale": {"type": "number", "min": 0.001}, "lead_time": {"type": "text"}}'),
  ('cast', 'Casting', 'mesflow.price_casting', '{gold750,brass}',
   '{"layer_height": {"type": "number", "default": 0.025, "min": 0.001}, "finish": {"type": "text"}, "plating": {"type": "text"}, "stones": {"type": "integer"},
     "stone": {"type": "text"}, "hallmark": {"type": "boolean"}, "engraving": {"type": "text"}, "scale": {"type": "number", "min": 0.001}, "lead_time": {"type": "text"}}');
INSERT INTO mesflow.partners (code, name, kind, discount_percent) VALUES
  ('none', 'None', 'b2b', 0), ('some', 'Some', 'b2b', 12.5), ('third', 'A third', 'b2b', 33.333), ('all', 'All', 'b2b', 100);
CREATE TABLE test.models AS
  SELECT partner, name, test.measured(name, result, partner) AS model FROM unnest('{none,some,third,all}'::text[]) partner CROSS JOIN (VALUES
    ('box', test.box(10.1, 20.3, 40.7, '{"support_volume_mm3": 1777.77777}')), ('speck', test.box(0.01, 0.01, 0.01)), ('hall', test.box(3000, 2000, 1000)),
    ('ring', test.box(21, 21, 6, '{"volume_mm3": 412.987654321, "area_mm2": 987.654321012}'))) AS m (name, result);

-- 300 drafts, each with rates from nothing to far too much; some that need not be there are not.
INSERT INTO mesflow.price_lists (code, currency, tax_rate, tax_included, rounding)
  SELECT 'list ' || n, currency, test.pick('tax' || n, '0', '0.2', '0.077', '0.99')::numeric, test.dice('included' || n, 2) = 1,
         CASE currency WHEN 'EUR' THEN test.pick('step' || n, '0.01', '0.05', '1') WHEN 'JPY' THEN test.pick('step' || n, '1', '10', '100') ELSE test.pick('step' || n, '0.001', '0.005', '1') END::numeric
    FROM generate_series(1, 300) n CROSS JOIN LATERAL test.pick('currency' || n, 'EUR', 'JPY', 'KWD') currency;
INSERT INTO mesflow.rates (price_list, name, value)
  SELECT 'list ' || n, name, CASE
           WHEN kind = 'share' THEN CASE test.dice(name || n, 8) WHEN 0 THEN 0 WHEN 1 THEN 10 ELSE test.dice('s' || name || n, 1000) / 1000.0 END
           ELSE CASE test.dice(name || n, 40) WHEN 0 THEN 999999999999 WHEN 1 THEN 12345678.9 WHEN 2 THEN 0 WHEN 3 THEN 0 WHEN 4 THEN 0.00001 ELSE test.dice('v' || name || n, 1000000) / 10000.0 END END
    FROM generate_series(1, 300) n CROSS JOIN (VALUES ('needed', '{material,fine_gold,machine_hour,volume_time,finish_fine,plating_gold,engraving,wax,flask,casting,setting,stone_zirconia,hallmark,labour_hour,setup}'::text[]),
      ('optional', '{area_time,layer_time,support,finish_fine_piece,plating_gold_piece,alloying,casting_piece,refining,labour_piece,labour_batch,setup_piece,minimum}'),
      ('share', '{support_share,support_infill,loss,shrinkage,sprue,failure,margin,rush}')) AS k (kind, names) CROSS JOIN unnest(names) name
   WHERE kind = 'needed' OR name = 'rush' OR test.dice('there' || name || n, 3) > 0;
INSERT INTO mesflow.quantity_breaks (price_list, process, from_quantity, percent)
  SELECT DISTINCT ON (n, process, at) 'list ' || n, process, at, test.dice('p' || k || n, 10001) / 100.0
    FROM generate_series(1, 300) n CROSS JOIN generate_series(1, 4) k CROSS JOIN LATERAL test.pick('of' || k || n, 'print', NULL) process
   CROSS JOIN LATERAL (SELECT test.pick('at' || k || n, '2', '10', '1000', '300000')::integer AS at) a WHERE test.dice('break' || k || n, 2) = 0 ORDER BY n, process, at, k;
SELECT (SELECT count(*) FROM mesflow.price_lists WHERE state = 'draft') AS drafts, (SELECT count(*) FROM mesflow.rates WHERE price_list LIKE 'list %') AS rates,
       (SELECT count(*) FROM mesflow.quantity_breaks WHERE price_list LIKE 'list %') AS breaks;

-- Six prices of each.
CREATE TABLE test.cases AS
  SELECT n, k, m.model, m.partner, process, CASE process WHEN 'print' THEN 'pla' ELSE test.pick('material' || seed, 'gold750', 'brass') END AS material,
         CASE test.dice('kind' || seed, 4) WHEN 0 THEN 1 WHEN 1 THEN 1 + test.dice('few' || seed, 20) WHEN 2 THEN 1 + test.dice('many' || seed, 1000000) ELSE test.pick('round' || seed, '2', '3', '7', '1000', '999983', '1000000')::integer END AS quantity,
         jsonb_strip_nulls(jsonb_build_object(
           'scale', test.pick('scale' || seed, NULL, NULL, '0.1', '1.37')::numeric, 'lead_time', test.pick('lead' || seed, NULL, 'rush'), 'finish', test.pick('finish' || seed, NULL, 'fine', 'none'),
           'plating', test.pick('plating' || seed, NULL, NULL, 'gold'), 'engraving', test.pick('text' || seed, NULL, '', 'für 💍 immer'), 'layer_height', test.pick('layer' || seed, NULL, '0.05', '0.333')::numeric)
         || CASE process WHEN 'print' THEN jsonb_build_object('infill', test.pick('infill' || seed, NULL, '0', '0.2', '1', '0.333')::numeric, 'wall_mm', test.pick('wall' || seed, NULL, '0.4', '1.2', '0')::numeric)
              ELSE jsonb_build_object('stones', test.pick('stones' || seed, NULL, '0', '1', '50')::integer, 'stone', test.pick('stone' || seed, NULL, 'zirconia', 'none'), 'hallmark', test.dice('mark' || seed, 2) = 1) END) AS options
    FROM generate_series(1, 300) n CROSS JOIN generate_series(1, 6) k CROSS JOIN LATERAL (SELECT k || ' of ' || n AS seed) s
   CROSS JOIN LATERAL test.pick('process' || seed, 'print', 'cast') process
    JOIN test.models m ON m.partner = test.pick('partner' || seed, 'none', 'some', 'third', 'all') AND m.name = test.pick('model' || seed, 'box', 'box', 'ring', 'speck', 'hall');
CREATE TABLE test.priced (round integer, n integer, k integer, quantity integer, unit_price numeric, net numeric, tax numeric, total numeric, breakdown jsonb, error_code text, error text);
CREATE FUNCTION test.price(round integer) RETURNS void LANGUAGE sql AS $$
  INSERT INTO test.priced SELECT $1, c.n, c.k, c.quantity, e.unit_price, e.net, e.tax, e.total, e.breakdown, e.error_code, e.error
    FROM test.cases c CROSS JOIN LATERAL mesflow.estimate(c.model, c.material, c.process, c.quantity, c.options, c.partner, 'list ' || c.n) e
$$;
SELECT test.price(0);
-- The only ones that have no price would cost more than anything.
SELECT count(*) AS cases, count(total) AS priced, count(*) FILTER (WHERE total IS NULL AND error_code = 'pricing_failed' AND error LIKE '%: the lines have no sum that could be a price') AS too_dear,
       count(*) FILTER (WHERE total = 0) AS free, count(*) FILTER (WHERE quantity = 1) AS of_one, max(quantity) AS most FROM test.priced;
CREATE VIEW test.sums AS
  SELECT p.*, l.rounding, l.tax_rate, l.tax_included, d AS digits, s.*, EXISTS (SELECT FROM mesflow.rates r WHERE r.price_list = l.code AND r.name = 'minimum') AS has_minimum
    FROM test.priced p JOIN mesflow.price_lists l ON l.code = 'list ' || p.n CROSS JOIN LATERAL mesflow._currency_digits(l.currency) d
   CROSS JOIN LATERAL (
     SELECT count(*) AS lines, sum(amount) AS of_all, sum(amount) FILTER (WHERE line NOT IN ('tax', 'quantity_discount', 'partner_discount', 'rounding')) AS made,
            sum(amount) FILTER (WHERE line NOT IN ('tax', 'quantity_discount', 'partner_discount')) AS undiscounted, sum(amount) FILTER (WHERE line <> 'tax') AS untaxed,
            count(*) FILTER (WHERE line IN ('quantity_discount', 'partner_discount')) AS discounts, count(*) FILTER (WHERE line = 'minimum') AS minima, count(*) FILTER (WHERE line = 'rush') AS rushes,
            bool_and(amount = round(quantity * rate, d)) AS products, bool_and(scale(amount) = d) AS decimals,
            bool_and(amount >= 0 OR line IN ('rounding', 'quantity_discount', 'partner_discount')) AS positive
       FROM jsonb_to_recordset(p.breakdown) AS b (line text, quantity numeric, rate numeric, amount numeric)) s
   WHERE p.total IS NOT NULL;
CREATE VIEW test.wrong AS
  SELECT count(*) AS priced, sum(lines) AS lines, count(*) FILTER (WHERE of_all <> total) AS do_not_add_up, count(*) FILTER (WHERE NOT products) AS products, count(*) FILTER (WHERE NOT decimals) AS decimals,
         count(*) FILTER (WHERE unit_price * quantity <> undiscounted) AS times_quantity, count(*) FILTER (WHERE net + tax <> total OR untaxed <> CASE WHEN tax_included THEN total ELSE net END) AS net_and_tax,
         count(*) FILTER (WHERE tax <> CASE WHEN tax_included THEN round(total * tax_rate / (1 + tax_rate), digits) ELSE round(net * tax_rate, digits) END) AS tax,
         count(*) FILTER (WHERE least(unit_price, net, tax, total) < 0 OR NOT positive) AS negative, count(*) FILTER (WHERE unit_price % rounding <> 0) AS unrounded,
         count(*) FILTER (WHERE (unit_price = 0) <> (made = 0)) AS became_free, count(*) FILTER (WHERE abs(unit_price - made / quantity) > rounding / 2 AND unit_price <> rounding
                          AND NOT (has_minimum AND unit_price > made / quantity AND unit_price < made / quantity + rounding)) AS rounded_too_far
    FROM test.sums;
SELECT * FROM test.wrong;
SELECT count(*) FILTER (WHERE discounts = 2) AS two_discounts, count(*) FILTER (WHERE discounts = 1) AS one, count(*) FILTER (WHERE minima = 1) AS minimum, count(*) FILTER (WHERE rushes = 1) AS rush FROM test.sums;
-- The same bytes on every version.
SELECT md5(string_agg(format('%s %s %s %s %s %s %s', n, k, unit_price, net, tax, total, breakdown), E'\n' ORDER BY n, k)) AS all_breakdowns FROM test.priced;

-- Raised, one rate of each list at a time, no rate lowers a price, and what was too dear does not become cheap.
CREATE FUNCTION test.raise_one(round integer) RETURNS void LANGUAGE sql AS $$
  UPDATE mesflow.rates r SET value = CASE test.dice('how' || $1 || r.price_list, 3) WHEN 0 THEN r.value + 0.001 WHEN 1 THEN r.value * 1.5 + 0.01 ELSE r.value + 1 END
    FROM (SELECT price_list, name, row_number() OVER (PARTITION BY price_list ORDER BY md5(name || $1)) AS at FROM mesflow.rates WHERE price_list LIKE 'list %' AND value < 999999999999 / 2) p
   WHERE r.price_list = p.price_list AND r.name = p.name AND p.at = 1
$$;
DO $$
BEGIN
  FOR round IN 1 .. 10 LOOP
    PERFORM test.raise_one(round);
    PERFORM test.price(round);
  END LOOP;
END
$$;
SELECT count(*) AS raised, count(*) FILTER (WHERE b.unit_price > a.unit_price) AS higher, count(*) FILTER (WHERE b.unit_price = a.unit_price) AS same,
       count(*) FILTER (WHERE b.unit_price < a.unit_price) AS lower, count(*) FILTER (WHERE b.total < a.total) AS lower_total,
       count(*) FILTER (WHERE a.total IS NULL AND b.total IS NOT NULL) AS cheap_again, count(*) FILTER (WHERE b.total IS NULL AND a.total IS NOT NULL) AS became_too_dear
  FROM test.priced a JOIN test.priced b ON (b.n, b.k) = (a.n, a.k) AND b.round = a.round + 1;
SELECT * FROM test.wrong;
