-- Enough to try everything.

CREATE FUNCTION load_example_catalog() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  INSERT INTO mesflow.partners (code, name, kind) VALUES ('acme', 'Acme Parts', 'b2b') ON CONFLICT DO NOTHING;
  INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES
    ('pla', 'PLA', 1.24), ('petg', 'PETG', 1.27), ('pa12', 'Nylon PA12', 1.01), ('resin', 'Standard resin', 1.18)
    ON CONFLICT DO NOTHING;
  INSERT INTO mesflow.processes (code, name, materials, options, max_size_mm, lead_days, review_above) VALUES
    ('fdm', 'Filament printing', '{pla,petg}',
     '{"infill": {"type": "number", "default": 0.2, "min": 0, "max": 1},
       "wall_mm": {"type": "number", "default": 1.2, "min": 0.4, "max": 10},
       "finish": {"type": "text", "default": "none", "allowed": ["none", "sanded", "painted"]},
       "colour": {"type": "text"}, "note": {"type": "text"}}', '{250,210,210}', 3, 5000),
    ('sla', 'Resin printing', '{resin}',
     '{"finish": {"type": "text", "default": "none", "allowed": ["none", "sanded"]}, "note": {"type": "text"}}', '{145,145,175}', 4, 5000),
    ('sls', 'Laser sintering', '{pa12}',
     '{"finish": {"type": "text", "default": "none", "allowed": ["none", "dyed"]}, "colour": {"type": "text"}, "note": {"type": "text"}}',
     '{320,320,600}', 6, 5000)
    ON CONFLICT DO NOTHING;
  INSERT INTO mesflow.price_lists (code, currency, tax_rate, rounding, state) VALUES ('example', 'EUR', 0.20, 0.01, 'active')
    ON CONFLICT DO NOTHING;
  INSERT INTO mesflow.rates (price_list, process, material, name, value, unit, public) VALUES
    ('example', 'fdm', 'pla', 'material', 0.045, 'EUR/g', true),
    ('example', 'fdm', 'petg', 'material', 0.055, 'EUR/g', true),
    ('example', 'fdm', NULL, 'build_rate', 16, 'cm3/h', false),
    ('example', 'fdm', NULL, 'machine_hour', 4.50, 'EUR/h', false),
    ('example', 'fdm', NULL, 'finish_sanded', 0.08, 'EUR/cm2', true),
    ('example', 'fdm', NULL, 'finish_painted', 0.15, 'EUR/cm2', true),
    ('example', 'sla', 'resin', 'material', 0.12, 'EUR/g', true),
    ('example', 'sla', NULL, 'build_rate', 25, 'cm3/h', false),
    ('example', 'sla', NULL, 'machine_hour', 7, 'EUR/h', false),
    ('example', 'sla', NULL, 'finish_sanded', 0.20, 'EUR/cm2', true),
    ('example', 'sls', 'pa12', 'material', 0.11, 'EUR/g', true),
    ('example', 'sls', NULL, 'build_rate', 120, 'cm3/h', false),
    ('example', 'sls', NULL, 'machine_hour', 18, 'EUR/h', false),
    ('example', 'sls', NULL, 'finish_dyed', 0.04, 'EUR/cm2', true),
    ('example', NULL, NULL, 'setup', 5, 'EUR', true)
    ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION load_example_catalog() IS
  'Partner acme, four materials, three processes and an active price list in EUR. Rows that are there stay as they are.';
