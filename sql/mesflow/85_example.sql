-- Enough to try everything.

CREATE FUNCTION load_example_catalog() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  INSERT INTO mesflow.partners (code, name, kind) VALUES ('acme', 'Acme Parts', 'b2b') ON CONFLICT DO NOTHING;
  INSERT INTO mesflow.materials (code, name, density_g_cm3, fineness, metal) VALUES
    ('pla', 'PLA', 1.24, NULL, NULL), ('petg', 'PETG', 1.27, NULL, NULL), ('pa12', 'Nylon PA12', 1.01, NULL, NULL),
    ('resin', 'Standard resin', 1.18, NULL, NULL),
    ('gold585', 'Yellow gold 585', 13.6, 0.585, 'gold'), ('gold750', 'Yellow gold 750', 15.5, 0.75, 'gold'),
    ('silver925', 'Sterling silver 925', 10.36, 0.925, 'silver'), ('brass', 'Brass', 8.75, NULL, NULL)
    ON CONFLICT DO NOTHING;
  INSERT INTO mesflow.processes (code, name, pricing_function, materials, options, operations, max_size_mm, min_wall_mm, lead_days, rush_days, review_above, printer) VALUES
    ('fdm', 'Filament printing', 'mesflow.price_additive', '{pla,petg}',
     '{"infill": {"type": "number", "default": 0.2, "min": 0, "max": 1},
       "wall_mm": {"type": "number", "default": 1.2, "min": 0.4, "max": 10},
       "layer_height": {"type": "number", "default": 0.2, "allowed": [0.1, 0.2, 0.3]},
       "finish": {"type": "text", "default": "none", "allowed": ["none", "sanded", "painted"]},
       "scale": {"type": "number", "min": 0.1, "max": 10},
       "lead_time": {"type": "text", "allowed": ["standard", "rush"]},
       "colour": {"type": "text"}, "note": {"type": "text"}}', '{print,finish}', '{250,210,210}', NULL, 3, 1, 5000, '{}'),
    ('sla', 'Resin printing', 'mesflow.price_additive', '{resin}',
     '{"finish": {"type": "text", "default": "none", "allowed": ["none", "sanded"]},
       "layer_height": {"type": "number", "default": 0.05, "allowed": [0.025, 0.05, 0.1]},
       "scale": {"type": "number", "min": 0.1, "max": 10},
       "lead_time": {"type": "text", "allowed": ["standard", "rush"]}, "note": {"type": "text"}}', '{print,cure,finish}', '{145,145,175}', NULL, 4, 2, 5000, NULL),
    ('sls', 'Laser sintering', 'mesflow.price_additive', '{pa12}',
     '{"finish": {"type": "text", "default": "none", "allowed": ["none", "dyed"]}, "colour": {"type": "text"},
       "scale": {"type": "number", "min": 0.1, "max": 10}, "note": {"type": "text"}}', '{print,finish}', '{320,320,600}', NULL, 6, NULL, 5000, NULL),
    ('casting', 'Lost-wax casting', 'mesflow.price_casting', '{gold585,gold750,silver925,brass}',
     '{"finish": {"type": "text", "default": "polished", "allowed": ["none", "polished", "matte"]},
       "plating": {"type": "text", "default": "none", "allowed": ["none", "rhodium", "gold"]},
       "stones": {"type": "integer", "default": 0, "min": 0, "max": 500},
       "stone": {"type": "text", "default": "none", "allowed": ["none", "zirconia"]},
       "hallmark": {"type": "boolean", "default": true},
       "engraving": {"type": "text"}, "ring_size": {"type": "number", "min": 40, "max": 80},
       "scale": {"type": "number", "min": 0.5, "max": 2},
       "lead_time": {"type": "text", "allowed": ["standard", "rush"]}, "note": {"type": "text"}}', '{wax,cast,finish}', '{60,60,80}', 0.5, 10, 4, 5000, NULL)
    ON CONFLICT DO NOTHING;

  INSERT INTO mesflow.price_lists (code, currency, tax_rate, rounding, note) VALUES ('example', 'EUR', 0.20, 0.01, 'to try things out')
    ON CONFLICT DO NOTHING;
  IF FOUND THEN
    INSERT INTO mesflow.rates (price_list, process, material, name, value, unit, public) VALUES
      ('example', 'fdm', 'pla', 'material', 0.045, 'EUR/g', true),
      ('example', 'fdm', 'petg', 'material', 0.055, 'EUR/g', true),
      ('example', 'fdm', NULL, 'support', 0.04, 'EUR/g', true),
      ('example', 'fdm', NULL, 'support_infill', 0.15, 'share', false),
      ('example', 'fdm', NULL, 'volume_time', 3.75, 'min/cm3', false),     -- these two: where processes.printer is NULL
      ('example', 'fdm', NULL, 'layer_time', 2, 's', false),
      ('example', 'fdm', NULL, 'machine_hour', 4.50, 'EUR/h', false),
      ('example', 'fdm', NULL, 'finish_sanded', 0.08, 'EUR/cm2', true),
      ('example', 'fdm', NULL, 'finish_painted', 0.15, 'EUR/cm2', true),
      ('example', 'sla', 'resin', 'material', 0.12, 'EUR/g', true),
      ('example', 'sla', NULL, 'layer_time', 9, 's', false),
      ('example', 'sla', NULL, 'machine_hour', 2.5, 'EUR/h', false),
      ('example', 'sla', NULL, 'labour_piece', 6, 'min', false),
      ('example', 'sla', NULL, 'finish_sanded', 0.20, 'EUR/cm2', true),
      ('example', 'sls', 'pa12', 'material', 0.11, 'EUR/g', true),
      ('example', 'sls', NULL, 'volume_time', 0.5, 'min/cm3', false),
      ('example', 'sls', NULL, 'machine_hour', 18, 'EUR/h', false),
      ('example', 'sls', NULL, 'finish_dyed', 0.04, 'EUR/cm2', true),
      ('example', 'casting', NULL, 'loss', 0.06, 'share', false),
      ('example', 'casting', NULL, 'wax', 1.80, 'EUR/cm3', true),
      ('example', 'casting', NULL, 'shrinkage', 0.03, 'share', false),
      ('example', 'casting', NULL, 'flask', 0.25, 'EUR/cm3', true),
      ('example', 'casting', NULL, 'sprue', 0.15, 'share', false),
      ('example', 'casting', NULL, 'casting', 0.90, 'EUR/g', true),
      ('example', 'casting', NULL, 'refining', 0.20, 'EUR/g', true),
      ('example', 'casting', NULL, 'finish_polished', 0.60, 'EUR/cm2', true),
      ('example', 'casting', NULL, 'finish_polished_piece', 6, 'EUR', true),
      ('example', 'casting', NULL, 'finish_matte', 0.40, 'EUR/cm2', true),
      ('example', 'casting', NULL, 'plating_rhodium', 1.20, 'EUR/cm2', true),
      ('example', 'casting', NULL, 'plating_gold', 1.50, 'EUR/cm2', true),
      ('example', 'casting', NULL, 'setting', 3.50, 'EUR', true),
      ('example', 'casting', NULL, 'stone_zirconia', 1.10, 'EUR', true),
      ('example', 'casting', NULL, 'hallmark', 2, 'EUR', true),
      ('example', 'casting', NULL, 'engraving', 1.50, 'EUR', true),
      ('example', 'casting', NULL, 'labour_piece', 10, 'min', false),
      ('example', 'casting', NULL, 'margin', 0.25, 'share', false),
      ('example', 'casting', 'brass', 'material', 0.02, 'EUR/g', true),
      ('example', NULL, NULL, 'fine_gold', 98.40, 'EUR/g', true),
      ('example', NULL, NULL, 'fine_silver', 1.25, 'EUR/g', true),
      ('example', NULL, NULL, 'labour_hour', 36, 'EUR/h', false),
      ('example', NULL, NULL, 'setup', 5, 'EUR', true),
      ('example', NULL, NULL, 'minimum', 8, 'EUR', true),
      ('example', NULL, NULL, 'rush', 0.25, 'share', true);
    INSERT INTO mesflow.quantity_breaks (price_list, process, from_quantity, percent) VALUES
      ('example', NULL, 50, 5), ('example', NULL, 200, 10), ('example', 'casting', 20, 3), ('example', 'casting', 100, 6);
    UPDATE mesflow.price_lists SET state = 'active' WHERE code = 'example';
  END IF;

  INSERT INTO mesflow.limits (status, kind, after) VALUES
    ('submitted', 'stuck', '1 hour'), ('in_review', 'stuck', '1 day'), ('approved', 'stuck', '2 days'), ('in_production', 'stuck', '10 days'),
    (NULL, 'lost', '15 min'), (NULL, 'silent', '1 hour')
    ON CONFLICT DO NOTHING;
  INSERT INTO mesflow.operators (code, name) VALUES ('anna', 'Anna'), ('boris', 'Boris') ON CONFLICT DO NOTHING;
  INSERT INTO mesflow.stations (code, name, processes, operations) VALUES
    ('printer-1', 'Printer 1', '{fdm,sla,sls}', '{print,cure}'), ('foundry', 'Foundry', '{casting}', '{wax,cast}'), ('bench', 'Bench', '{}', '{finish}')
    ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION load_example_catalog() IS
  'Partner acme, materials and processes for printing and casting, an active price list in EUR, limits, operators and stations. Rows that are there stay as they are.';
