-- The workshop owner's day: docs/pricing.md, statement by statement, and what comes of it. test/lint/85_pricing compares both.
\ir day.psql
\ir ../models/examples.psql
SET ROLE mesflow_admin;

-- A process from nothing.
SELECT mesflow.create_partner('atelier', 'Atelier Blum', 'b2b', '{"discount_percent": 5}');

INSERT INTO mesflow.materials (code, name, density_g_cm3, fineness, metal) VALUES
  ('asa', 'ASA', 1.07, NULL, NULL),
  ('au750', 'Yellow gold 750', 15.5, 0.75, 'gold');

INSERT INTO mesflow.processes (code, name, pricing_function, materials, options, operations,
                               max_size_mm, min_wall_mm, lead_days, rush_days, review_above) VALUES
  ('filament', 'Filament printing', 'mesflow.price_additive', '{asa}',
   '{"infill": {"type": "number", "default": 0.2, "min": 0, "max": 1},
     "wall_mm": {"type": "number", "default": 1.2, "min": 0.4, "max": 10},
     "layer_height": {"type": "number", "default": 0.2, "allowed": [0.1, 0.2, 0.3]},
     "finish": {"type": "text", "default": "none", "allowed": ["none", "sanded"]},
     "scale": {"type": "number", "min": 0.1, "max": 10},
     "lead_time": {"type": "text", "allowed": ["standard", "rush"]}}',
   '{print,finish}', '{250,210,210}', NULL, 4, 2, 2000),
  ('lostwax', 'Lost-wax casting', 'mesflow.price_casting', '{au750}',
   '{"finish": {"type": "text", "default": "polished", "allowed": ["none", "polished"]},
     "hallmark": {"type": "boolean", "default": true},
     "engraving": {"type": "text"},
     "scale": {"type": "number", "min": 0.5, "max": 2}}',
   '{wax,cast,finish}', '{60,60,80}', 0.5, 10, NULL, 3000);

INSERT INTO mesflow.price_lists (code, currency, tax_rate, rounding, quote_validity, note)
  VALUES ('spring', 'EUR', 0.20, 0.05, '14 days', 'our first list');

INSERT INTO mesflow.rates (price_list, process, material, name, value, unit, public) VALUES
  ('spring', 'filament', 'asa', 'material', 0.06, 'EUR/g', true),
  ('spring', 'filament', NULL, 'volume_time', 4, 'min/cm3', false),
  ('spring', 'filament', NULL, 'layer_time', 2, 's', false),
  ('spring', 'filament', NULL, 'machine_hour', 3.60, 'EUR/h', false),
  ('spring', 'filament', NULL, 'finish_sanded', 0.10, 'EUR/cm2', true),
  ('spring', 'filament', NULL, 'labour_piece', 3, 'min', false),
  ('spring', 'lostwax', NULL, 'loss', 0.08, 'share', false),
  ('spring', 'lostwax', NULL, 'wax', 2.00, 'EUR/cm3', true),
  ('spring', 'lostwax', NULL, 'shrinkage', 0.03, 'share', false),
  ('spring', 'lostwax', NULL, 'flask', 0.20, 'EUR/cm3', true),
  ('spring', 'lostwax', NULL, 'sprue', 0.15, 'share', false),
  ('spring', 'lostwax', NULL, 'casting', 1.00, 'EUR/g', true),
  ('spring', 'lostwax', NULL, 'finish_polished', 0.80, 'EUR/cm2', true),
  ('spring', 'lostwax', NULL, 'hallmark', 2.50, 'EUR', true),
  ('spring', 'lostwax', NULL, 'engraving', 1.50, 'EUR', true),
  ('spring', 'lostwax', NULL, 'labour_piece', 15, 'min', false),
  ('spring', 'lostwax', NULL, 'margin', 0.20, 'share', false),
  ('spring', NULL, NULL, 'fine_gold', 98.40, 'EUR/g', true),
  ('spring', NULL, NULL, 'labour_hour', 36, 'EUR/h', false),
  ('spring', NULL, NULL, 'setup', 6, 'EUR', true),
  ('spring', NULL, NULL, 'minimum', 15, 'EUR', true),
  ('spring', NULL, NULL, 'rush', 0.30, 'share', true);

INSERT INTO mesflow.quantity_breaks (price_list, process, from_quantity, percent) VALUES
  ('spring', NULL, 10, 5), ('spring', NULL, 100, 12), ('spring', 'lostwax', 20, 3);

-- The two models, as the document says that they measure.
SELECT mesflow.upload_model(pg_temp.bracket(), 'bracket.stl', partner => 'atelier') AS bracket \gset
SELECT mesflow.upload_model(pg_temp.ring(), 'ring.stl') AS ring \gset
SELECT state, error FROM mesflow.await_model(:'bracket');
SELECT state, error FROM mesflow.await_model(:'ring');
SELECT pg_temp.same('the bracket', (SELECT ARRAY[volume_mm3::numeric, area_mm2::numeric, bbox_max[1]::numeric, bbox_max[2]::numeric, bbox_max[3]::numeric]
                                      FROM mesflow.measurements WHERE model = :'bracket' AND watertight AND defects = '[]'), '{5280,3328,40,20,30}');
SELECT pg_temp.same('the ring', (SELECT ARRAY[round(volume_mm3::numeric, 4), round(area_mm2::numeric, 4), (bbox_max[1] - bbox_min[1])::numeric,
                                              (bbox_max[2] - bbox_min[2])::numeric, (bbox_max[3] - bbox_min[3])::numeric]
                                   FROM mesflow.measurements WHERE model = :'ring' AND watertight AND defects = '[]'), '{477.1789,716.0262,21,21,4}');

-- Trying the draft: nothing is priced by it but what names it.
SELECT unit_price, net, tax, total, currency, lead_days, error_code, error
  FROM mesflow.estimate(:'bracket', 'asa', 'filament', 10, '{"finish": "sanded", "lead_time": "rush"}',
                        partner => 'atelier', price_list => 'spring');
SELECT l.line, l.quantity, l.unit, l.rate, l.amount, l.public, l.why
  FROM mesflow.estimate(:'ring', 'au750', 'lostwax', 1, '{"engraving": "Anna"}', price_list => 'spring') e,
       jsonb_to_recordset(e.breakdown) AS l (line text, quantity numeric, unit text, rate numeric, amount numeric, public boolean, why text);
SELECT pg_temp.same('without the draft', (SELECT error_code FROM mesflow.estimate(:'ring', 'au750', 'lostwax')), 'no_rate');

-- Two prices, by hand.
SELECT pg_temp.same('ten brackets', pg_temp.lines(e.breakdown),
         (SELECT jsonb_agg(jsonb_build_array(w.line, w.quantity, w.rate, w.amount)) FROM (VALUES
            ('material', 45.4850, 0.06, 2.73), ('machine', 3.6670, 3.60, 13.20), ('finishing', 332.8000, 0.10, 33.28), ('labour', 0.5000, 36, 18.00),
            ('setup', 1, 6, 6.00), ('rush', 73.21, 0.30, 21.96), ('rounding', 1, -0.17, -0.17), ('quantity_discount', 95.00, -0.05, -4.75),
            ('partner_discount', 90.25, -0.05, -4.51), ('tax', 85.74, 0.20, 17.15)) AS w (line, quantity, rate, amount))),
       pg_temp.same('their sum', ARRAY[e.unit_price, e.net, e.tax, e.total, e.lead_days], ARRAY[9.50, 85.74, 17.15, 102.89, 2]),
       pg_temp.same('they are sound', pg_temp.sound(e.breakdown, e.total), true),
       pg_temp.same('what customers do not see', (SELECT array_agg(l ->> 'line' ORDER BY l ->> 'line') FROM jsonb_array_elements(e.breakdown) l WHERE NOT (l ->> 'public')::boolean),
                    '{labour,machine}'::text[])
  FROM (SELECT 1) AS one LEFT JOIN mesflow.estimate(:'bracket', 'asa', 'filament', 10, '{"finish": "sanded", "lead_time": "rush"}',
                                                    partner => 'atelier', price_list => 'spring') e ON true;
SELECT pg_temp.same('a ring', pg_temp.lines(e.breakdown),
         (SELECT jsonb_agg(jsonb_build_array(w.line, w.quantity, w.rate, w.amount)) FROM (VALUES
            ('material', 5.9912, 98.40, 589.53), ('pattern', 0.5214, 2.00, 1.04), ('flask', 1.9275, 0.20, 0.39), ('casting', 8.5061, 1.00, 8.51),
            ('finishing', 7.1603, 0.80, 5.73), ('hallmark', 1, 2.50, 2.50), ('engraving', 4, 1.50, 6.00), ('labour', 0.2500, 36, 9.00), ('setup', 1, 6, 6.00),
            ('margin', 628.70, 0.20, 125.74), ('rounding', 1, 0.01, 0.01), ('tax', 754.45, 0.20, 150.89)) AS w (line, quantity, rate, amount))),
       pg_temp.same('its sum', ARRAY[e.unit_price, e.net, e.tax, e.total, e.lead_days], ARRAY[754.45, 754.45, 150.89, 905.34, 10]),
       pg_temp.same('it is sound', pg_temp.sound(e.breakdown, e.total), true)
  FROM (SELECT 1) AS one LEFT JOIN mesflow.estimate(:'ring', 'au750', 'lostwax', 1, '{"engraving": "Anna"}', price_list => 'spring') e ON true;

-- Activate, and promise.
SELECT * FROM mesflow.check_price_list('spring');
UPDATE mesflow.price_lists SET state = 'active' WHERE code = 'spring';

SELECT mesflow.request_quote(:'ring', 'au750', 'lostwax', 1, '{"engraving": "Anna"}') AS quote \gset
SELECT state, unit_price, total, currency, price_list, lead_days FROM mesflow.await_quote(:'quote');
SELECT pg_temp.same('the promise', (SELECT ARRAY[state, total::text, currency, price_list] FROM mesflow.quotes WHERE id = :'quote'), ARRAY['priced', '905.34', 'EUR', 'spring']);
SELECT pg_temp.same('an active list', pg_temp.refusal($$UPDATE mesflow.rates SET value = 1 WHERE price_list = 'spring' AND name = 'setup'$$), 'MF423'),
       pg_temp.same('a rate more', pg_temp.refusal($$INSERT INTO mesflow.rates (price_list, name, value) VALUES ('spring', 'extra', 1)$$), 'MF423'),
       pg_temp.same('a break less', pg_temp.refusal($$DELETE FROM mesflow.quantity_breaks WHERE price_list = 'spring'$$), 'MF423'),
       pg_temp.same('its tax', pg_temp.refusal($$UPDATE mesflow.price_lists SET tax_rate = 0 WHERE code = 'spring'$$), 'MF423'),
       pg_temp.same('the list itself', pg_temp.refusal($$DELETE FROM mesflow.price_lists WHERE code = 'spring'$$), 'MF423');

-- Today's gold price; the same call again is the same list. The ring, by hand: 5.9912 x 101.20 = 606.31, margin of 645.48, to 0.05.
SELECT mesflow.revise_price_list('[{"process": null, "material": null, "name": "fine_gold", "value": 101.20}]',
                                 'gold, morning fixing', price_list => 'spring');
SELECT pg_temp.same('once more', mesflow.revise_price_list('[{"process": null, "material": null, "name": "fine_gold", "value": 101.20}]',
                                                           'gold, morning fixing', price_list => 'spring'), 'spring-2');
SELECT pg_temp.same('the ring in new gold', ARRAY[e.unit_price, e.net, e.tax, e.total], ARRAY[774.60, 774.60, 154.92, 929.52]),
       pg_temp.same('by the old list', (SELECT o.total FROM mesflow.estimate(:'ring', 'au750', 'lostwax', 1, '{"engraving": "Anna"}', price_list => 'spring') o), 905.34),
       pg_temp.same('the lines that moved', (SELECT array_agg(n ->> 'line' ORDER BY n ->> 'line') FROM jsonb_array_elements(e.breakdown) n, mesflow.quotes q
                                              WHERE q.id = :'quote' AND NOT q.breakdown @> jsonb_build_array(n)), '{margin,material,rounding,tax}'::text[]),
       pg_temp.same('the promise', (SELECT q.total FROM mesflow.quotes q WHERE q.id = :'quote'), 905.34)
  FROM (SELECT 1) AS one LEFT JOIN mesflow.estimate(:'ring', 'au750', 'lostwax', 1, '{"engraving": "Anna"}') e ON true;

-- What was promised before: first dry, by the list that holds and by the old one.
SELECT quote, old, new, new - old AS more FROM mesflow.reprice_quotes();
SELECT quote, old, new, new - old AS more FROM mesflow.reprice_quotes('spring');
SELECT pg_temp.same('the promise in new gold', (SELECT array_agg(ARRAY[r.old, r.new]) FROM mesflow.reprice_quotes() r WHERE r.quote = :'quote'), '{{905.34,929.52}}'::numeric[]),
       pg_temp.same('all of them', (SELECT count(*) FROM mesflow.reprice_quotes()), 1),
       pg_temp.same('by its own list', (SELECT array_agg(ARRAY[r.old, r.new]) FROM mesflow.reprice_quotes('spring') r), '{{905.34,905.34}}'::numeric[]),
       pg_temp.same('nothing is written', (SELECT array_agg(state) FROM mesflow.quotes), '{priced}'::text[]);

-- In the future, and back.
SELECT mesflow.revise_price_list('[{"process": "filament", "material": null, "name": "machine_hour", "value": 3.90}]',
                                 'from next month', activate_at => now() + interval '30 days', price_list => 'spring');
SELECT code, state, valid_from <= now() AS has_come, revises, note FROM mesflow.price_lists WHERE family = 'spring' ORDER BY valid_from;
SELECT pg_temp.same('not yet', (SELECT l -> 'rate' FROM mesflow.estimate(:'bracket', 'asa', 'filament', partner => 'atelier') e, jsonb_array_elements(e.breakdown) l
                                 WHERE l ->> 'line' = 'machine'), '3.60'::jsonb);
UPDATE mesflow.price_lists SET state = 'retired' WHERE code = 'spring-3';
SELECT pg_temp.same('the family', (SELECT array_agg(code || ' ' || state ORDER BY code) FROM mesflow.price_lists WHERE family = 'spring'),
                    '{spring active,spring-2 active,spring-3 retired}'::text[]);

-- A partner's own list: 4 for set-up instead of 6 is 2 less before discount and tax, for this partner alone.
INSERT INTO mesflow.price_lists (code, currency, tax_rate, rounding, quote_validity, general, note)
  SELECT 'atelier', currency, tax_rate, rounding, quote_validity, false, 'terms of Atelier Blum' FROM mesflow.price_lists WHERE code = 'spring-2';
INSERT INTO mesflow.rates (price_list, process, material, name, value, unit, public)
  SELECT 'atelier', process, material, name, CASE name WHEN 'setup' THEN 4 ELSE value END, unit, public FROM mesflow.rates WHERE price_list = 'spring-2';
UPDATE mesflow.price_lists SET state = 'active' WHERE code = 'atelier';
UPDATE mesflow.partners SET price_list = 'atelier' WHERE code = 'atelier';
SELECT pg_temp.same('its own', (SELECT l -> 'amount' FROM mesflow.estimate(:'bracket', 'asa', 'filament', 10, partner => 'atelier') e, jsonb_array_elements(e.breakdown) l
                                 WHERE l ->> 'line' = 'setup'), '4'::jsonb),
       pg_temp.same('not the shop''s', (SELECT total FROM mesflow.estimate(:'ring', 'au750', 'lostwax', 1, '{"engraving": "Anna"}')), 929.52);
UPDATE mesflow.partners SET price_list = NULL, discount_percent = 7.5 WHERE code = 'atelier';
SELECT pg_temp.same('its discount', (SELECT l -> 'rate' FROM mesflow.estimate(:'bracket', 'asa', 'filament', 10, partner => 'atelier') e, jsonb_array_elements(e.breakdown) l
                                      WHERE l ->> 'line' = 'partner_discount'), '-0.075'::jsonb);

-- Another currency, which nobody else pays in.
UPDATE mesflow.partners SET currency = 'EUR' WHERE currency IS NULL;
INSERT INTO mesflow.price_lists (code, currency, tax_rate, rounding) VALUES ('swiss', 'CHF', 0.081, 0.05);
INSERT INTO mesflow.rates (price_list, process, material, name, value, unit, public)
  SELECT 'swiss', process, material, name, CASE WHEN unit LIKE 'EUR%' THEN round(value * 0.95, 4) ELSE value END, replace(unit, 'EUR', 'CHF'), public
    FROM mesflow.rates WHERE price_list = 'spring-2';
UPDATE mesflow.price_lists SET state = 'active' WHERE code = 'swiss';
SELECT mesflow.create_partner('helvetia', 'Helvetia Design', 'b2b', '{"currency": "CHF"}');
SELECT mesflow.upload_model(pg_temp.ring(), 'ring.stl', partner => 'helvetia') AS theirs \gset
SELECT pg_temp.same('each in its currency',
         ARRAY[(SELECT currency FROM mesflow.estimate(:'theirs', 'au750', 'lostwax', partner => 'helvetia')), (SELECT currency FROM mesflow.estimate(:'ring', 'au750', 'lostwax')),
               (SELECT currency FROM mesflow.estimate(:'bracket', 'asa', 'filament', partner => 'atelier'))], '{CHF,EUR,EUR}'::text[]);

-- Other breaks, in a draft by hand: 10 % off twelve instead of 5 % off ten. It follows the list it was copied from, and may go as long as it is a draft.
INSERT INTO mesflow.price_lists (code, family, general, currency, tax_rate, rounding, quote_validity, revises, note)
  SELECT 'spring-breaks', family, general, currency, tax_rate, rounding, quote_validity, code, 'cheaper by the dozen' FROM mesflow.price_lists WHERE code = 'spring-2';
INSERT INTO mesflow.rates (price_list, process, material, name, value, unit, public)
  SELECT 'spring-breaks', process, material, name, value, unit, public FROM mesflow.rates WHERE price_list = 'spring-2';
INSERT INTO mesflow.quantity_breaks (price_list, process, from_quantity, percent) VALUES ('spring-breaks', NULL, 12, 10);
SELECT unit_price, total FROM mesflow.estimate(:'bracket', 'asa', 'filament', 12, partner => 'atelier', price_list => 'spring-breaks');
SELECT pg_temp.same('by the dozen', (SELECT array_agg(l ->> 'rate' ORDER BY q) FROM unnest('{11,12}'::integer[]) q LEFT JOIN
                                            mesflow.estimate(:'bracket', 'asa', 'filament', q, partner => 'atelier', price_list => 'spring-breaks') e ON true
                                       LEFT JOIN jsonb_array_elements(e.breakdown) l ON l ->> 'line' = 'quantity_discount'), ARRAY[NULL, '-0.1']);
BEGIN;
UPDATE mesflow.price_lists SET state = 'active' WHERE code = 'spring-breaks';
SELECT pg_temp.same('activated, it takes its place', (SELECT l -> 'rate' FROM mesflow.estimate(:'bracket', 'asa', 'filament', 12, partner => 'atelier') e, jsonb_array_elements(e.breakdown) l
                                                       WHERE l ->> 'line' = 'quantity_discount'), '-0.1'::jsonb);
ROLLBACK;
DELETE FROM mesflow.price_lists WHERE code = 'spring-breaks';
SELECT pg_temp.same('gone', (SELECT count(*) FROM mesflow.rates WHERE price_list = 'spring-breaks'), 0);

-- A function of one's own; making it needs more than setting prices.
RESET ROLE;
CREATE ROLE pricing_author NOLOGIN;
GRANT USAGE ON SCHEMA mesflow TO pricing_author;
GRANT EXECUTE ON FUNCTION mesflow.price_line TO pricing_author;

CREATE SCHEMA workshop AUTHORIZATION pricing_author;
CREATE FUNCTION workshop.price_by_box(measurement mesflow.measurements, material mesflow.materials, process mesflow.processes,
                                      quantity integer, options jsonb, rates jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  x numeric := round((measurement.bbox_max[1] - measurement.bbox_min[1])::numeric, 1);
  y numeric := round((measurement.bbox_max[2] - measurement.bbox_min[2])::numeric, 1);
  z numeric := round((measurement.bbox_max[3] - measurement.bbox_min[3])::numeric, 1);
  box numeric := round(x * y * z / 1000, 4);
  grams numeric := round((measurement.volume_mm3 / 1000)::numeric * material.density_g_cm3, 4);
  lines jsonb := '[]';
BEGIN
  lines := lines || mesflow.price_line('material', 'piece', grams * quantity, 'g', rates, 'material',
                                       format('%s g x %s pieces', grams, quantity));
  lines := lines || mesflow.price_line('box', 'piece', box * quantity, 'cm3', rates, 'box',
                                       format('%s x %s x %s mm / 1000 x %s pieces', x, y, z, quantity));
  IF options ->> 'colour' <> 'natural' THEN
    lines := lines || mesflow.price_line('dyeing', 'batch', 1, '', rates, 'dyeing', 'one bath of ' || (options ->> 'colour'));
  END IF;
  RETURN lines;
END
$$;
ALTER FUNCTION workshop.price_by_box OWNER TO pricing_author;

INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('pa11', 'Nylon PA11', 1.03);
INSERT INTO mesflow.processes (code, name, pricing_function, materials, options, lead_days) VALUES
  ('fusion', 'Powder fusion', 'workshop.price_by_box', '{pa11}',
   '{"colour": {"type": "text", "default": "natural", "allowed": ["natural", "black"]}}', 6);
SELECT mesflow.revise_price_list('[{"process": "fusion", "material": "pa11", "name": "material", "value": 0.12, "unit": "EUR/g"},
                                   {"process": "fusion", "material": null, "name": "box", "value": 0.15, "unit": "EUR/cm3", "public": false},
                                   {"process": "fusion", "material": null, "name": "dyeing", "value": 9, "unit": "EUR"}]',
                                 'powder fusion', price_list => 'spring');
SELECT unit_price, net, tax, total, error_code, error
  FROM mesflow.estimate(:'bracket', 'pa11', 'fusion', 2, '{"colour": "black"}', partner => 'atelier');
SELECT pg_temp.same('by the box', pg_temp.lines(e.breakdown),
         '[["material", 10.8768, 0.12, 1.31], ["box", 48, 0.15, 7.20], ["dyeing", 1, 9, 9.00], ["rounding", 1, -0.01, -0.01],
           ["partner_discount", 17.50, -0.075, -1.31], ["tax", 16.19, 0.20, 3.24]]'::jsonb)
  FROM (SELECT 1) AS one LEFT JOIN mesflow.estimate(:'bracket', 'pa11', 'fusion', 2, '{"colour": "black"}', partner => 'atelier') e ON true;
-- One that fails costs its own quotes, and only those. Neither may it write, nor be late.
CREATE FUNCTION workshop.price_badly(measurement mesflow.measurements, material mesflow.materials, process mesflow.processes,
                                     quantity integer, options jsonb, rates jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
  IF quantity = 1 THEN
    DELETE FROM mesflow.rates;
  ELSIF quantity = 2 THEN
    LOOP END LOOP;
  ELSIF quantity = 3 THEN
    RETURN '[{"line": "fee", "quantity": 3, "rate": 0.335, "amount": 1.00}]';
  END IF;
  RETURN '[{"line": "fee", "amount": 15}]';
END
$$;
UPDATE mesflow.processes SET pricing_function = 'workshop.price_badly' WHERE code = 'fusion';
SELECT pg_temp.same('what it may not', (SELECT array_agg(e.error_code ORDER BY q) FROM unnest('{1,2,3}'::integer[]) q,
                                               mesflow.estimate(:'bracket', 'pa11', 'fusion', q, partner => 'atelier') e
                                         WHERE e.error ~ CASE q WHEN 1 THEN 'read-only' WHEN 2 THEN 'took longer' ELSE '3 x 0.335 is 1.01, the amount is 1' END),
                    '{pricing_failed,pricing_failed,pricing_failed}'::text[]),
       pg_temp.same('what it may', (SELECT unit_price FROM mesflow.estimate(:'bracket', 'pa11', 'fusion', 4, partner => 'atelier')), 3.75),
       pg_temp.same('the rates', (SELECT count(*) FROM mesflow.rates WHERE price_list = 'spring'), 22);
SET ROLE mesflow_admin;

-- Years later: another density, other options, other discounts, lists that are gone.
UPDATE mesflow.materials SET density_g_cm3 = 15.6 WHERE code = 'au750';
SELECT unit_price, net, tax, total, same FROM mesflow.recompute_quote(:'quote');
UPDATE mesflow.processes SET options = options - 'engraving', review_above = 1, lead_days = 99, active = false WHERE code = 'lostwax';
UPDATE mesflow.partners SET name = 'The shop', discount_percent = 50 WHERE code = 'shop';
UPDATE mesflow.price_lists SET state = 'retired' WHERE family IN ('spring', 'example');
SELECT pg_temp.same('to the byte', (SELECT ARRAY[total::text, same::text] FROM mesflow.recompute_quote(:'quote')), ARRAY['905.34', 'true']),
       pg_temp.same('its versions', (SELECT ARRAY[(SELECT version FROM mesflow.materials WHERE code = 'au750'), (SELECT version FROM mesflow.processes WHERE code = 'lostwax')]), '{2,2}');
SELECT pg_temp.same('nothing is offered', (SELECT error_code FROM mesflow.estimate(:'bracket', 'asa', 'filament', partner => 'atelier')), 'no_rate');

-- By hand, when the lists are there again.
INSERT INTO mesflow.price_lists (code, currency, tax_rate) VALUES ('summer', 'EUR', 0.20);
INSERT INTO mesflow.rates (price_list, process, material, name, value, unit, public)
  SELECT 'summer', process, material, name, value, unit, public FROM mesflow.rates WHERE price_list = 'spring';
UPDATE mesflow.price_lists SET state = 'active' WHERE code = 'summer';
SELECT mesflow.upload_model(convert_to('ISO-10303-21;', 'UTF8'), 'handle.step') AS handle \gset
SELECT state, error_code FROM mesflow.await_model(:'handle');
SELECT mesflow.request_quote(:'handle', 'asa', 'filament', 2) AS by_hand \gset
SELECT state, error_code, total FROM mesflow.quotes WHERE id = :'by_hand';
SELECT pg_temp.same('waiting', (SELECT ARRAY[state, error_code, total::text] FROM mesflow.quotes WHERE id = :'by_hand'), ARRAY['review', 'unsupported', NULL]);

SELECT id, partner, total, error_code, error FROM mesflow.quotes WHERE state = 'review' AND NOT preflight ORDER BY created_at;
SELECT mesflow.price_quote(:'by_hand', 48.00, 'measured from the drawing, supports on both sides');
SELECT state, total, by_hand, decided_by FROM mesflow.quotes WHERE id = :'by_hand';
SELECT pg_temp.same('priced', (SELECT ARRAY[state, total::text, by_hand::text] FROM mesflow.quotes WHERE id = :'by_hand'), ARRAY['priced', '115.20', 'true']),
       pg_temp.same('its lines', (SELECT pg_temp.lines(breakdown) FROM mesflow.quotes WHERE id = :'by_hand'), '[["manual", 2, 48.00, 96.00], ["tax", 96.00, 0.20, 19.20]]'::jsonb),
       pg_temp.same('again', (SELECT same FROM mesflow.recompute_quote(:'by_hand')), true),
       pg_temp.same('too late to reject', pg_temp.refusal(format('SELECT mesflow.reject_quote(%L, %L)', :'by_hand', 'no')), 'MF423');

-- Before anybody asks: 12 of the ring, 2 processes with a material each, 2 quantities, 3 sizes.
UPDATE mesflow.processes SET active = true WHERE code = 'lostwax';
SELECT mesflow.preflight_quotes(:'ring', '{asa,au750}', '{filament,lostwax}', '{1,20}', '{0.9,1,1.1}') AS job \gset
SELECT state, percent, stage FROM mesflow.price_jobs WHERE id = :job;
CALL pg_temp.await_job(:job);
SELECT pg_temp.same('all made', (SELECT count(*) FROM mesflow.quotes WHERE model = :'ring' AND created_at > (SELECT queued_at FROM mesflow.price_jobs WHERE id = :job)), 12);
SELECT mesflow.request_quote(:'ring', 'asa', 'filament', 20, '{"scale": 1.1}') AS ready \gset
SELECT pg_temp.same('one of them', (SELECT count(*) FROM mesflow.quotes WHERE model = :'ring' AND created_at > (SELECT queued_at FROM mesflow.price_jobs WHERE id = :job)), 12),
       pg_temp.same('as estimated', (SELECT q.breakdown FROM mesflow.quotes q WHERE q.id = :'ready'), (SELECT e.breakdown FROM mesflow.estimate(:'ring', 'asa', 'filament', 20, '{"scale": 1.1}') e));

-- The new list, for those who have not ordered yet: the one that was handed out is replaced, the one by hand is left alone.
SELECT pg_temp.same('revised', mesflow.revise_price_list('[{"process": null, "material": null, "name": "setup", "value": 8}]', 'dearer set-up', price_list => 'summer'), 'summer-2');
SELECT pg_temp.same('queued', (SELECT array_agg(quote ORDER BY quote) FROM mesflow.reprice_quotes(dry_run => false) WHERE new IS NULL),
                    (SELECT array_agg(id ORDER BY id) FROM unnest(ARRAY[:'quote', :'ready']::uuid[]) id));
SELECT id AS job FROM mesflow.price_jobs WHERE kind = 'reprice' \gset
CALL pg_temp.await_job(:job);
SELECT pg_temp.same('superseded', (SELECT ARRAY[state, error_code] FROM mesflow.quotes WHERE id = :'ready'), '{cancelled,superseded}'::text[]),
       pg_temp.same('by one that costs more', (SELECT n.total > o.total AND n.state = 'priced' AND n.price_list = 'summer-2' FROM mesflow.quotes n JOIN mesflow.quotes o ON o.id = n.supersedes WHERE o.id = :'ready'), true),
       pg_temp.same('by hand stays', (SELECT state FROM mesflow.quotes WHERE id = :'by_hand'), 'priced');
