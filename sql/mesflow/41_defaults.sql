-- Rows that the installation brings and people may edit: a dump takes along what differs from them, and a restore, which
-- finds the new installation's rows, puts its own in their place.

CREATE TABLE _defaults (
  tab text NOT NULL,
  key text NOT NULL,
  content jsonb NOT NULL,
  PRIMARY KEY (tab, key)
);
COMMENT ON TABLE _defaults IS 'The rows of systems, order_statuses and order_transitions as the installation made them.';

CREATE TABLE _defaults_removed (
  tab text NOT NULL,
  key text NOT NULL,
  PRIMARY KEY (tab, key)
);
COMMENT ON TABLE _defaults_removed IS 'Those of them that somebody has removed: a restored database does without them, too.';

CREATE FUNCTION _default_key(tab text, content jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE $1 WHEN 'systems' THEN $2 ->> 'code' WHEN 'order_statuses' THEN $2 ->> 'status'
       ELSE ($2 ->> 'from_status') || ' ' || ($2 ->> 'to_status') END;
COMMENT ON FUNCTION _default_key(text, jsonb) IS 'The key of a row of systems, order_statuses or order_transitions, as one text.';

INSERT INTO _defaults
  SELECT 'systems', mesflow._default_key('systems', to_jsonb(t)), to_jsonb(t) FROM systems t
  UNION ALL SELECT 'order_statuses', mesflow._default_key('order_statuses', to_jsonb(t)), to_jsonb(t) FROM order_statuses t
  UNION ALL SELECT 'order_transitions', mesflow._default_key('order_transitions', to_jsonb(t)), to_jsonb(t) FROM order_transitions t;

CREATE FUNCTION _is_default(tab text, content jsonb) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT EXISTS (SELECT FROM _defaults d WHERE d.tab = $1 AND d.key = _default_key($1, $2) AND d.content = $2);
END;
COMMENT ON FUNCTION _is_default(text, jsonb) IS 'Is this row as the installation made it?';

CREATE FUNCTION _restore_default() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  row_key constant text := mesflow._default_key(TG_TABLE_NAME, to_jsonb(NEW));
  untouched boolean := false;
BEGIN
  IF pg_trigger_depth() > 1 OR NOT mesflow._may_restore() OR mesflow._is_default(TG_TABLE_NAME, to_jsonb(NEW))
  OR NOT EXISTS (SELECT FROM mesflow._defaults d WHERE d.tab = TG_TABLE_NAME AND d.key = row_key) THEN
    RETURN NEW;
  END IF;
  CASE TG_TABLE_NAME
    WHEN 'systems' THEN
      UPDATE mesflow.systems t SET name = NEW.name WHERE t.code = NEW.code AND mesflow._is_default('systems', to_jsonb(t));
      untouched := FOUND;
    WHEN 'order_statuses' THEN
      UPDATE mesflow.order_statuses t
         SET (position, owner_system, label, terminal, hold, changeable, workable) = (NEW.position, NEW.owner_system, NEW.label, NEW.terminal, NEW.hold, NEW.changeable, NEW.workable)
       WHERE t.status = NEW.status AND mesflow._is_default('order_statuses', to_jsonb(t));
      untouched := FOUND;
    ELSE
      UPDATE mesflow.order_transitions t SET roles = NEW.roles
       WHERE (t.from_status, t.to_status) = (NEW.from_status, NEW.to_status) AND mesflow._is_default('order_transitions', to_jsonb(t));
      untouched := FOUND;
  END CASE;
  RETURN CASE WHEN untouched THEN NULL ELSE NEW END;
END
$$;
COMMENT ON FUNCTION _restore_default() IS 'A row that the owner brings takes the place of the one that the installation made, where nobody has touched that.';

CREATE FUNCTION _note_default() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  old_key constant text := CASE WHEN TG_OP <> 'INSERT' THEN mesflow._default_key(TG_TABLE_NAME, to_jsonb(OLD)) END;
  new_key constant text := CASE WHEN TG_OP <> 'DELETE' THEN mesflow._default_key(TG_TABLE_NAME, to_jsonb(NEW)) END;
BEGIN
  IF old_key = new_key THEN
    RETURN NULL;
  END IF;
  DELETE FROM mesflow._defaults_removed WHERE tab = TG_TABLE_NAME AND key = new_key;
  INSERT INTO mesflow._defaults_removed
    SELECT d.tab, d.key FROM mesflow._defaults d WHERE d.tab = TG_TABLE_NAME AND d.key = old_key
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _note_default() IS 'Notes which rows of the installation are gone, or have another key.';

CREATE FUNCTION _remove_defaults() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT d.* FROM mesflow._defaults_removed g JOIN mesflow._defaults d USING (tab, key) ORDER BY d.tab = 'systems' LOOP
    BEGIN
      EXECUTE format('DELETE FROM mesflow.%I t WHERE mesflow._default_key(%L, to_jsonb(t)) = $1', r.tab, r.tab) USING r.key;
    EXCEPTION WHEN foreign_key_violation OR SQLSTATE 'MF423' THEN
      NULL;                             -- rows that are still to be restored take its place; arm() comes again
    END;
  END LOOP;
END
$$;
COMMENT ON FUNCTION _remove_defaults() IS 'Removes the rows of the installation that had been removed where a dump was made.';

CREATE FUNCTION _remove_default() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF pg_trigger_depth() = 1 THEN        -- a restore
    PERFORM mesflow._remove_defaults();
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _remove_default() IS 'A restored note of a removed row removes the row.';

CREATE FUNCTION _noted_default() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- A status that was removed took its steps along, and so were they noted.
  RETURN CASE WHEN NOT EXISTS (SELECT FROM mesflow._defaults_removed r WHERE (r.tab, r.key) = (NEW.tab, NEW.key)) THEN NEW END;
END
$$;
COMMENT ON FUNCTION _noted_default() IS 'A restored note that is there already stays as it is.';
CREATE TRIGGER noted BEFORE INSERT ON _defaults_removed FOR EACH ROW EXECUTE FUNCTION _noted_default();
CREATE TRIGGER remove AFTER INSERT ON _defaults_removed FOR EACH STATEMENT EXECUTE FUNCTION _remove_default();

CREATE TRIGGER a_restore BEFORE INSERT ON systems FOR EACH ROW EXECUTE FUNCTION _restore_default();
CREATE TRIGGER a_restore BEFORE INSERT ON order_statuses FOR EACH ROW EXECUTE FUNCTION _restore_default();
CREATE TRIGGER a_restore BEFORE INSERT ON order_transitions FOR EACH ROW EXECUTE FUNCTION _restore_default();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON systems FOR EACH ROW EXECUTE FUNCTION _note_default();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON order_statuses FOR EACH ROW EXECUTE FUNCTION _note_default();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON order_transitions FOR EACH ROW EXECUTE FUNCTION _note_default();
