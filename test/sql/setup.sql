-- Installing, what is there then, and what is left after dropping it.
\pset footer off
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';

-- The parts have versions that go together.
SELECT v.part, v.version = e.extversion AS same_as_extension, v.version ~ '^\d' AS numbered
  FROM mesflow.version() v, pg_extension e WHERE e.extname = 'mesflow' ORDER BY v.part;
SELECT proacl IS NULL AS untouched, obj_description(oid) FROM pg_proc WHERE oid = 'pg_catalog.version()'::regprocedure;

-- The group roles of the cluster, none of which can log in.
SELECT rolname, rolcanlogin, rolsuper FROM pg_roles WHERE rolname ~ '^mesflow_' ORDER BY 1;

-- This server serves another database, and nothing is in the catalog yet.
SELECT check_name, status, (hint IS NOT NULL) = (status <> 'ok') AS hint FROM mesflow.health();
SELECT detail, hint FROM mesflow.health() WHERE check_name IN ('database', 'catalog');
SELECT count(*) AS workers FROM mesflow.worker_status;

-- What an installation brings: the shop, and nothing else.
SELECT code, kind, active FROM mesflow.partners;
SELECT (SELECT count(*) FROM mesflow.materials) AS materials, (SELECT count(*) FROM mesflow.processes) AS processes,
       (SELECT count(*) FROM mesflow.price_lists) AS price_lists, (SELECT count(*) FROM mesflow.price_jobs) AS jobs,
       (SELECT count(*) FROM mesflow.nodes) AS nodes, (SELECT count(*) FROM mesflow.verify_jobs()) AS problems;
SELECT reason, system_identifier = (SELECT system_identifier FROM pg_control_system()) AS this_cluster FROM mesflow._identity;

-- Everything that people can see says what it is.
SELECT 'function' AS object, p.oid::regprocedure::text AS name
  FROM pg_proc p WHERE p.pronamespace = 'mesflow'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
UNION ALL
SELECT 'relation', c.oid::regclass::text
  FROM pg_class c WHERE c.relnamespace = 'mesflow'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND obj_description(c.oid, 'pg_class') IS NULL
UNION ALL
SELECT 'column', c.oid::regclass::text || '.' || a.attname
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE c.relnamespace = 'mesflow'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND c.relname !~ '^_' AND col_description(c.oid, a.attnum) IS NULL;

-- Nobody can lead a function astray by a search path, and PUBLIC may call none. (Procedures commit, so they have none: see housekeeping.sql.)
SELECT p.oid::regprocedure AS unpinned FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 WHERE p.pronamespace = 'mesflow'::regnamespace AND l.lanname IN ('sql', 'plpgsql') AND p.prosqlbody IS NULL AND p.prokind <> 'p'
   AND NOT EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c = 'search_path=pg_catalog, pg_temp');
SELECT p.oid::regprocedure AS public FROM pg_proc p
 WHERE p.pronamespace = 'mesflow'::regnamespace
   AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0));
SELECT c.oid::regclass AS public FROM pg_class c
 WHERE c.relnamespace = 'mesflow'::regnamespace AND EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = 0);

-- The example catalog, twice: the second time changes nothing, not even what somebody changed.
SELECT mesflow.load_example_catalog();
SELECT count(*) AS rates, (SELECT count(*) FROM mesflow.partners) AS partners, (SELECT count(*) FROM mesflow.materials) AS materials,
       (SELECT count(*) FROM mesflow.processes) AS processes FROM mesflow.rates;
SELECT mesflow.revise_price_list('[{"name": "setup", "value": 6}]', 'dearer') AS list;
UPDATE mesflow.materials SET active = false WHERE code = 'pla';
SELECT mesflow.load_example_catalog();
SELECT count(*) AS rates, (SELECT string_agg(format('%s: %s', price_list, value), ', ' ORDER BY price_list) FROM mesflow.rates WHERE name = 'setup') AS setup,
       (SELECT active FROM mesflow.materials WHERE code = 'pla') AS pla FROM mesflow.rates;
SELECT status, detail FROM mesflow.health() WHERE check_name = 'catalog';
SELECT code, defaults FROM mesflow.processes ORDER BY code;

-- What cannot be is refused.
\set VERBOSITY terse
INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('air', 'Air', 0);
INSERT INTO mesflow.processes (code, name, max_size_mm) VALUES ('flat', 'Flat', '{1,2}');
INSERT INTO mesflow.processes (code, name, options) VALUES ('odd', 'Odd', '[]');
INSERT INTO mesflow.price_lists (code, currency) VALUES ('lower', 'eur');
INSERT INTO mesflow.price_lists (code, currency, rounding) VALUES ('fine', 'EUR', 0.001);
INSERT INTO mesflow.rates (price_list, name, value) VALUES ('example', 'setup', 7);
INSERT INTO mesflow.rates (price_list, name, value) VALUES ('example', 'discount', -1);

\set VERBOSITY default

-- Arming: only with a reason, which is kept.
SELECT mesflow.arm('  ');
\echo :LAST_ERROR_SQLSTATE
SELECT mesflow.arm('a rehearsal');
SELECT reason FROM mesflow._identity;

-- A copy notices that it is one.
UPDATE mesflow._identity SET system_identifier = 1;
SELECT status FROM mesflow.health() WHERE check_name = 'identity';
SELECT mesflow.arm('moved');
SELECT status FROM mesflow.health() WHERE check_name = 'identity';

-- In a second database, where the roles are there already.
SELECT current_database() AS first \gset
SELECT current_database() || '_second' AS second \gset
SET client_min_messages = warning;
DROP DATABASE IF EXISTS :"second";
RESET client_min_messages;
CREATE DATABASE :"second" TEMPLATE template0;
\c :second
CREATE EXTENSION mesflow;
SELECT code FROM mesflow.partners;
SELECT count(*) FROM mesflow.health();
\c :first
DROP DATABASE :"second";

-- Not where text is not UTF-8.
CREATE DATABASE :"second" TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C';
\c :second
CREATE EXTENSION mesflow;
\echo :LAST_ERROR_SQLSTATE
\c :first
DROP DATABASE :"second";

-- It cannot be moved or made twice, and what is inside cannot be dropped alone.
CREATE EXTENSION mesflow;
ALTER EXTENSION mesflow SET SCHEMA public;
DROP TABLE mesflow._jobs_waiting;

-- Dropping takes all of it but the empty schema and the roles; and it can come again.
DROP EXTENSION mesflow;
SELECT count(*) AS objects FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'mesflow';
SELECT count(*) AS functions FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'mesflow';
SELECT count(*) AS types FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'mesflow';
SELECT count(*) AS schemas FROM pg_namespace WHERE nspname = 'mesflow';
SELECT count(*) AS roles FROM pg_roles WHERE rolname ~ '^mesflow_';
CREATE EXTENSION mesflow;
SELECT code FROM mesflow.partners;
SELECT count(*) AS problems FROM mesflow.verify_jobs();
