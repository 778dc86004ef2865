-- Does a price list price everything that is offered?

CREATE FUNCTION _list_gaps(price_list text, until timestamptz) RETURNS TABLE (process text, material text, error_code text, error text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  list mesflow.price_lists := mesflow._price_list(NULL, coalesce($1, ''));
  shop mesflow.partners;
  cube mesflow._measurements;
  pair record;
  price mesflow._price;
BEGIN
  SELECT * INTO shop FROM mesflow.partners c WHERE c.kind = 'shop' ORDER BY c.code LIMIT 1;
  cube.engine_version := mesflow._engine_version();
  cube.triangles := 12;
  cube.vertices := 8;
  cube.volume_mm3 := 1000;
  cube.area_mm2 := 600;
  cube.bbox_min := '{0,0,0}';
  cube.bbox_max := '{10,10,10}';
  cube.bodies := 1;
  cube.cavities := 0;
  cube.watertight := true;
  cube.consistent_winding := true;
  cube.euler_number := 2;
  cube.defects := '[]';
  cube.repairs := '[]';
  cube.centroid := '{5,5,5}';
  cube.holes := 0;
  cube.trapped_volume_mm3 := 0;
  cube.overlap_volume_mm3 := 0;
  cube.tight_box_mm := '{10,10,10}';
  cube.layer_area_mm2 := array_fill(100::real, '{256}');
  cube.layer_perimeter_mm := array_fill(40::real, '{256}');
  cube.layer_up_mm2 := array_fill(0::real, '{255}') || 100::real;
  cube.layer_down_mm2 := 100::real || array_fill(0::real, '{255}');
  FOR pair IN SELECT a, p FROM mesflow.processes p JOIN mesflow.materials a ON a.code = ANY (p.materials)
               WHERE p.active AND a.active ORDER BY p.code, a.code LOOP
    EXIT WHEN clock_timestamp() > $2;
    price := mesflow._price(cube, pair.a, pair.p, shop, list, mesflow._rates(list, (pair.p).code, (pair.a).code), 1, (pair.p).defaults);
    IF price.error_code IN ('no_rate', 'pricing_failed') THEN
      process := (pair.p).code;
      material := (pair.a).code;
      error_code := price.error_code;
      error := price.error;
      RETURN NEXT;
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION _list_gaps(text, timestamptz) IS 'What check_price_list finds until a moment.';

CREATE FUNCTION check_price_list(price_list text) RETURNS TABLE (process text, material text, error_code text, error text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN QUERY SELECT * FROM mesflow._list_gaps($1, 'infinity');
END
$$;
COMMENT ON FUNCTION check_price_list(text) IS
  'What a price list cannot price: a cube of 1 cm with default options, in every active process and material that go together; no rows: it prices them all. Writes nothing. MF404: no such list.';

CREATE FUNCTION _warn_of_gaps() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  gaps integer;
  first text;
BEGIN
  SELECT count(*), min(g.error) INTO gaps, first FROM mesflow._list_gaps(NEW.code, clock_timestamp() + interval '1 s') g;     -- somebody waits
  IF gaps > 0 THEN
    RAISE WARNING USING ERRCODE = 'MF404', MESSAGE = format('price list "%s" does not price everything that is offered', NEW.code),
      DETAIL = format('It fails for %s of the pairs of process and material, for example: %s', gaps, first),
      HINT = format('SELECT * FROM mesflow.check_price_list(%L) lists them; revise_price_list adds rates.', NEW.code);
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _warn_of_gaps() IS 'A warning where a list is activated that lacks rates for something on offer.';
CREATE TRIGGER warn_of_gaps AFTER UPDATE OF state ON price_lists FOR EACH ROW
  WHEN (OLD.state = 'draft' AND NEW.state = 'active') EXECUTE FUNCTION _warn_of_gaps();
