-- pg_cron. It has one database, cron.database_name, and runs nothing for the others but by statements made there.

CREATE FUNCTION _cron_place(OUT place text, OUT cron_database text) RETURNS record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  preloaded constant boolean := current_setting('shared_preload_libraries') ~ '(^|[\s,"/])pg_cron(\.so)?($|[\s,"])';
  version text;
BEGIN
  SELECT e.extversion INTO version FROM pg_extension e WHERE e.extname = 'pg_cron';
  cron_database := current_setting('cron.database_name', true);
  place := CASE WHEN NOT preloaded THEN 'absent'
                WHEN cron_database <> current_database() THEN 'elsewhere'
                WHEN version IS NULL THEN 'not created'
                WHEN NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                                  WHERE n.nspname = 'cron' AND p.proname = 'schedule' AND p.pronargs = 3) THEN 'old'
                ELSE 'here' END;
END
$$;
COMMENT ON FUNCTION _cron_place() IS
  'Where pg_cron is: here; elsewhere (it serves cron_database); not created in its database, this one; old (no named jobs); absent (not preloaded).';

CREATE FUNCTION schedule_housekeeping() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  worker constant text := 'Until then the housekeeping worker of the server does it all.';
  cron record;
  installed text;
  statements text;
  duty record;
BEGIN
  PERFORM mesflow._refuse_copy_or_standby();
  SELECT * INTO cron FROM mesflow._cron_place();
  SELECT a.default_version INTO installed FROM pg_available_extensions a WHERE a.name = 'pg_cron';
  CASE cron.place
    WHEN 'absent' THEN
      PERFORM mesflow._raise('MF503', 'pg_cron is not there', 'shared_preload_libraries does not name pg_cron.',
        format('Install pg_cron 1.3 or later, set shared_preload_libraries = ''mesflow,pg_cron'' and cron.database_name = ''%s'', restart, CREATE EXTENSION pg_cron. Or leave it: the housekeeping worker of the server does it all.',
               current_database()));
    WHEN 'not created' THEN
      PERFORM mesflow._raise('MF503', 'pg_cron is not in its database', format('pg_cron serves this database, "%s", and its extension is not there.', cron.cron_database),
        'CREATE EXTENSION pg_cron, then call this again. ' || worker);
    WHEN 'old' THEN
      PERFORM mesflow._raise('MF503', 'pg_cron is too old', 'This pg_cron has no named jobs: cron.schedule(name, schedule, command) came with 1.3.',
        'ALTER EXTENSION pg_cron UPDATE, after installing a later version where there is none. ' || worker);
    WHEN 'elsewhere' THEN
      IF installed ~ '^(0|1\.[0-3])(\D|$)' THEN       -- no cron.schedule_in_database
        SELECT string_agg(format('SELECT cron.schedule(%L, %L, %L);', 'mesflow ' || d.name, d.schedule, format('CALL mesflow.%I()', d.name)), E'\n' ORDER BY d.name)
               || format(E'\nUPDATE cron.job SET database = %L WHERE jobname LIKE ''mesflow %%'';', current_database())
          INTO statements FROM mesflow._duties d;
        statements := E'pg_cron before 1.4 takes jobs for other databases from a superuser only:\n' || statements;
      ELSE
        SELECT string_agg(format('SELECT cron.schedule_in_database(%L, %L, %L, %L);', 'mesflow ' || d.name, d.schedule, format('CALL mesflow.%I()', d.name), current_database()),
                          E'\n' ORDER BY d.name)
          INTO statements FROM mesflow._duties d;
      END IF;
      PERFORM mesflow._raise('MF503', 'pg_cron serves another database', format('cron.database_name is "%s", this is "%s".', cron.cron_database, current_database()),
        format(E'In database "%s", where extension pg_cron is:\n%s\n%s', cron.cron_database, statements, worker));
    ELSE
      FOR duty IN SELECT d.name, d.schedule FROM mesflow._duties d ORDER BY d.name LOOP
        EXECUTE 'SELECT cron.schedule($1, $2, $3)' USING 'mesflow ' || duty.name, duty.schedule, format('CALL mesflow.%I()', duty.name);
      END LOOP;
      -- What is no longer a duty.
      EXECUTE 'SELECT count(cron.unschedule(j.jobid)) FROM cron.job j
                WHERE j.jobname LIKE ''mesflow %'' AND j.database = current_database()
                  AND NOT EXISTS (SELECT FROM mesflow._duties d WHERE j.jobname = ''mesflow '' || d.name)';
  END CASE;
END
$$;
COMMENT ON FUNCTION schedule_housekeeping() IS
  'Has pg_cron call the procedures in mesflow.housekeeping, as jobs named "mesflow ..."; again: the same jobs. MF503 where pg_cron is absent, too old, or serves another database: the hint has the statements to run there. What pg_cron does not do in time, the housekeeping worker does.';

CREATE FUNCTION unschedule_housekeeping() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  cron record;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  SELECT * INTO cron FROM mesflow._cron_place();
  CASE cron.place
    WHEN 'here' THEN
      EXECUTE 'SELECT count(cron.unschedule(j.jobid)) FROM cron.job j WHERE j.jobname LIKE ''mesflow %'' AND j.database = current_database()';
    WHEN 'elsewhere' THEN
      PERFORM mesflow._raise('MF503', 'pg_cron serves another database', format('cron.database_name is "%s", this is "%s".', cron.cron_database, current_database()),
        format(E'In database "%s", where extension pg_cron is:\nSELECT cron.unschedule(jobid) FROM cron.job WHERE jobname LIKE ''mesflow %%'' AND database = %L;',
               cron.cron_database, current_database()));
    ELSE
      NULL;                             -- nothing can have been scheduled
  END CASE;
END
$$;
COMMENT ON FUNCTION unschedule_housekeeping() IS
  'Takes the jobs named "mesflow ..." from pg_cron; before DROP EXTENSION mesflow, which leaves them behind. MF503 where pg_cron serves another database: the hint has the statement to run there. The housekeeping worker does the duties from then on.';
