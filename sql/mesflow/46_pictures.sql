-- Pictures of models: PNGs that the geometry program draws when it measures. A picture shows what the customer made, so it
-- goes when the bytes go; no other way leads to it than through a model that has its bytes.

CREATE TABLE _pictures (
  sha256 bytea NOT NULL CHECK (length(sha256) = 32),
  unit text NOT NULL,
  size integer NOT NULL CHECK (size BETWEEN 16 AND 512),
  png bytea NOT NULL CHECK (octet_length(png) <= 65000),
  PRIMARY KEY (sha256, unit, size)
);
ALTER TABLE _pictures ALTER COLUMN png SET STORAGE EXTERNAL;
COMMENT ON TABLE _pictures IS 'Pictures of what was measured, square, by their width in pixels; stored as they came, for they are compressed. The newest of each size is kept.';

-- The side of a square PNG, as its header says (RFC 2083, 3.1 and 4.1.1); NULL where it is none.
CREATE FUNCTION _png_side(png bytea) RETURNS integer
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  SELECT CASE WHEN octet_length(png) > 45 AND substr(png, 1, 18) = '\x89504e470d0a1a0a0000000d494844520000'::bytea AND substr(png, 17, 4) = substr(png, 21, 4)
              THEN get_byte(png, 18) * 256 + get_byte(png, 19) END;
END;
COMMENT ON FUNCTION _png_side(bytea) IS 'Width and height of a square PNG of less than 65536 pixels; NULL where it is none.';

CREATE FUNCTION _record_pictures(sha256 bytea, unit text, pictures bytea[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  -- The bytes stay until this transaction ends. Without them there is to be no picture, either.
  IF cardinality($3) = 0 OR mesflow._stored_content($1) IS NULL THEN
    RETURN;
  END IF;
  INSERT INTO mesflow._pictures AS p (sha256, unit, size, png)
    SELECT DISTINCT ON (2, 3) $1, $2, mesflow._png_side(t.png), t.png FROM unnest($3) WITH ORDINALITY AS t (png, at) ORDER BY 2, 3, t.at
  ON CONFLICT (sha256, unit, size) DO UPDATE SET png = EXCLUDED.png;
END
$$;
COMMENT ON FUNCTION _record_pictures(bytea, text, bytea[]) IS 'Stores pictures of these bytes in this unit; what is no square PNG of 16 to 512 pixels violates a constraint.';

CREATE FUNCTION _drop_pictures() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  IF OLD.sha256 IS NULL OR (TG_OP = 'UPDATE' AND NEW.sha256 IS NOT DISTINCT FROM OLD.sha256) THEN
    RETURN NULL;
  END IF;
  -- The same bytes may be stored twice; of two that go at the same moment, neither counts.
  IF mesflow._stored_content(OLD.sha256) IS NULL THEN
    DELETE FROM mesflow._pictures p WHERE p.sha256 = OLD.sha256;
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _drop_pictures() IS 'Pictures go with the bytes that they show.';
CREATE TRIGGER drop_pictures AFTER DELETE OR UPDATE OF sha256 ON _contents FOR EACH ROW EXECUTE FUNCTION _drop_pictures();

CREATE FUNCTION model_picture(model uuid, size integer DEFAULT 256) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  m constant mesflow._models := mesflow._model($1, NULL);
BEGIN
  IF $2 IS NULL OR $2 NOT BETWEEN 16 AND 512 THEN
    PERFORM mesflow._raise('MF400', 'no such size of a picture', format('The size is %s.', coalesce($2::text, 'NULL')),
                           'Ask for 16 to 512 pixels; the answer is the next size that is kept: 64, 128, 256 or 512.');
  END IF;
  RETURN (SELECT p.png FROM mesflow._pictures p WHERE p.sha256 = m.sha256 AND p.unit = m.unit AND m.content IS NOT NULL
           ORDER BY p.size < $2, abs(p.size - $2) LIMIT 1);
END
$$;
COMMENT ON FUNCTION model_picture(uuid, integer) IS
  'A picture of a model as PNG with a transparent background, square: the smallest kept one of at least size pixels (64, 128, 256, 512), for size from 16 to 512. NULL where there is none: the model is not measured yet, could not be, or its bytes were deleted, and the picture with them (it does not come back with them). Works on a standby. Errors: MF400 (size), MF404 (model).';
