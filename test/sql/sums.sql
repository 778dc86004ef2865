-- From lines to a price: quantity breaks, discounts, minimum, rush, tax and the decimals of currencies.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
-- A process that costs what its rate says, per piece, and two more like it.
CREATE FUNCTION test.by_rate(m mesflow.measurements, a mesflow.materials, p mesflow.processes, quantity integer, options jsonb, rates jsonb) RETURNS jsonb
LANGUAGE sql AS $$ SELECT jsonb_build_array(mesflow.price_line('piece', 'piece', quantity, '', rates, 'piece', '')) $$;
INSERT INTO mesflow.processes (code, name, pricing_function, materials, options, lead_days, rush_days)
  SELECT v.code, v.code, 'test.by_rate', '{pla}', '{"lead_time": {"type": "text", "allowed": ["standard", "rush"]}}', v.lead_days, v.rush_days
    FROM (VALUES ('flat', 5, NULL::integer), ('other', 7, 0), ('at once', 0, NULL)) v (code, lead_days, rush_days);
SELECT test.measured('cube.stl', test.box(10, 10, 10)) AS cube \gset
SELECT test.measured('cube.stl', test.box(10, 10, 10), 'acme') AS acme \gset
-- Lists are tried as drafts. Each price, its lines, and whether they add up.
CREATE FUNCTION test.list(code text, currency text, rounding numeric, piece numeric, tax_rate numeric DEFAULT 0, tax_included boolean DEFAULT false) RETURNS void LANGUAGE sql AS $$
  INSERT INTO mesflow.price_lists (code, currency, tax_rate, tax_included, rounding) VALUES ($1, $2, $5, $6, $3);
  INSERT INTO mesflow.rates (price_list, name, value) VALUES ($1, 'piece', $4)
$$;
CREATE FUNCTION test.price(list text, process text, quantity integer, options jsonb DEFAULT '{}', partner text DEFAULT 'shop')
RETURNS TABLE (unit_price numeric, net numeric, tax numeric, total numeric, lines text, sound boolean, error_code text) LANGUAGE sql AS $$
  SELECT e.unit_price, e.net, e.tax, e.total, test.lines(e.breakdown),
         e.net + e.tax = e.total AND (SELECT sum((l ->> 'amount')::numeric) FROM jsonb_array_elements(e.breakdown) l) = e.total
         AND NOT EXISTS (SELECT FROM jsonb_array_elements(e.breakdown) l WHERE (l ->> 'amount')::numeric % power(10::numeric, -mesflow._currency_digits(e.currency)) <> 0), e.error_code
    FROM mesflow.estimate((SELECT id FROM mesflow.models m WHERE m.partner = $5), 'pla', $2, $3, $4, $5, $1) e
$$;

-- Quantity breaks: the highest that is reached, for all pieces. A process with breaks of its own knows no others.
SELECT test.list('breaks', 'EUR', 0.01, 10, 0.2) \g /dev/null
INSERT INTO mesflow.quantity_breaks (price_list, process, from_quantity, percent) VALUES
  ('breaks', NULL, 10, 5), ('breaks', NULL, 100, 10), ('breaks', NULL, 1000000, 100), ('breaks', 'flat', 20, 33.333), ('breaks', 'flat', 30, 0);
SELECT p AS process, q AS quantity, e.* FROM unnest('{flat,other}'::text[]) p, unnest('{1,9,10,19,20,29,30,99,100,1000000}'::integer[]) q, test.price('breaks', p, q) e ORDER BY 1, 2;
-- The partner's discount comes off what is left.
UPDATE mesflow.partners SET discount_percent = 12.5 WHERE code = 'acme';
SELECT q AS quantity, e.* FROM unnest('{1,3,10}'::integer[]) q, test.price('breaks', 'other', q, partner => 'acme') e;
UPDATE mesflow.partners SET discount_percent = 100 WHERE code = 'acme';
SELECT e.* FROM test.price('breaks', 'other', 10, partner => 'acme') e;
UPDATE mesflow.partners SET discount_percent = 0 WHERE code = 'acme';

-- A minimum lifts what is less, and nothing else; discounts come off after it.
SELECT test.list('minimum', 'EUR', 0.01, 10) \g /dev/null
INSERT INTO mesflow.rates (price_list, process, name, value) VALUES ('minimum', NULL, 'minimum', 25), ('minimum', 'other', 'minimum', 0);
INSERT INTO mesflow.quantity_breaks (price_list, from_quantity, percent) VALUES ('minimum', 2, 50);
SELECT p AS process, q AS quantity, e.* FROM unnest('{flat,other}'::text[]) p, unnest('{1,2,3}'::integer[]) q, test.price('minimum', p, q) e ORDER BY 1, 2;

-- Rush: its surcharge is on everything before it; days are the process's own, or half of the normal ones, rounded up.
SELECT test.list('rush', 'EUR', 0.01, 10) \g /dev/null
INSERT INTO mesflow.rates (price_list, process, name, value) VALUES ('rush', 'flat', 'rush', 0.255), ('rush', 'at once', 'rush', 0), ('rush', NULL, 'minimum', 25);
SELECT p AS process, o AS options, e.* FROM unnest('{flat,other,at once}'::text[]) p, unnest(ARRAY['{}', '{"lead_time": "standard"}', '{"lead_time": "rush"}']::jsonb[]) o, test.price('rush', p, 3, o) e ORDER BY 1, 2;
SELECT process, lead_days, error FROM unnest('{flat,other,at once}'::text[]) p, mesflow.estimate(:'cube', 'pla', p, 1, '{"lead_time": "rush"}', price_list => 'rush') ORDER BY 1;
INSERT INTO mesflow.rates (price_list, process, name, value) VALUES ('rush', 'other', 'rush', 1);
SELECT process, lead_days, total FROM unnest('{flat,other,at once}'::text[]) p, mesflow.estimate(:'cube', 'pla', p, 1, '{"lead_time": "rush"}', price_list => 'rush') ORDER BY 1;
SELECT process, lead_days FROM unnest('{flat,other,at once}'::text[]) p, mesflow.estimate(:'cube', 'pla', p, 1, price_list => 'rush') ORDER BY 1;
SELECT * FROM test.error(format($$SELECT * FROM mesflow.estimate(%L, 'pla', 'flat', 1, '{"lead_time": "yesterday"}')$$, :'cube')) WHERE error NOT LIKE '  hint%';

-- Tax on top, or in the price; rounded once, on the sum.
SELECT v.code, test.list(v.code, 'EUR', 0.01, 9.99, v.rate, v.included) FROM (VALUES ('on top', 0.19, false), ('included', 0.19, true), ('none', 0, false), ('none included', 0, true), ('odd', 0.0775, false), ('nearly all', 0.99, true))
  v (code, rate, included) \g /dev/null
SELECT l AS list, q AS quantity, e.* FROM unnest('{on top,included,none,none included,odd,nearly all}'::text[]) WITH ORDINALITY l (l, at), unnest('{1,7}'::integer[]) q, test.price(l.l, 'flat', q) e ORDER BY l.at, 2;
UPDATE mesflow.partners SET discount_percent = 12.5 WHERE code = 'acme';
SELECT e.* FROM test.price('included', 'flat', 7, partner => 'acme') e;
UPDATE mesflow.partners SET discount_percent = 0 WHERE code = 'acme';

-- Currencies with none and with three decimals, and coarser rounding of unit prices.
SELECT v.code, test.list(v.code, v.currency, v.rounding, v.piece, v.tax, v.included) FROM (VALUES ('JPY 1', 'JPY', 1, 1234.5, 0.10, true), ('JPY 10', 'JPY', 10, 1234.5, 0.10, false), ('JPY 1000', 'JPY', 1000, 1234.5, 0.10, false),
  ('KWD 0.001', 'KWD', 0.001, 1.2345, 0.05, false), ('KWD 0.005', 'KWD', 0.005, 1.2345, 0.05, true), ('CHF 0.05', 'CHF', 0.05, 1.23, 0.081, true), ('EUR 0.99', 'EUR', 0.99, 2, 0, false), ('USD', 'USD', 0.01, 1.005, 0, false))
  v (code, currency, rounding, piece, tax, included) \g /dev/null
SELECT l AS list, q AS quantity, e.* FROM unnest('{JPY 1,JPY 10,JPY 1000,KWD 0.001,KWD 0.005,CHF 0.05,EUR 0.99,USD}'::text[]) WITH ORDINALITY l (l, at), unnest('{1,7}'::integer[]) q, test.price(l.l, 'flat', q) e ORDER BY l.at, 2;
SELECT c AS currency, mesflow._currency_digits(c) AS digits FROM unnest('{EUR,USD,JPY,KRW,CLP,ISK,KWD,BHD,TND,ZZZ}'::text[]) c;
-- The smallest and the largest.
SELECT test.list('small', 'EUR', 0.01, 0.000001, 0.2), test.list('nothing', 'EUR', 0.01, 0, 0.2), test.list('large', 'EUR', 0.01, 999999999999.99, 0.2) \g /dev/null
SELECT l AS list, q AS quantity, e.* FROM unnest('{small,nothing,large}'::text[]) WITH ORDINALITY l (l, at), unnest('{1,1000000}'::integer[]) q, test.price(l.l, 'flat', q) e ORDER BY l.at, 2;
