-- Group roles, shared by all databases of the cluster: made where they are absent, never changed or dropped.
DO $$
DECLARE
  group_role text;
BEGIN
  FOREACH group_role IN ARRAY ARRAY['mesflow_app', 'mesflow_operator', 'mesflow_manager',
                                    'mesflow_monitor', 'mesflow_node', 'mesflow_admin'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = group_role) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', group_role);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;                   -- another database made it a moment ago
      END;
    END IF;
  END LOOP;
END
$$;
