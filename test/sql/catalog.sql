-- What holds for everything that the extension brings: no object breaks a
-- rule, and an offender against each of them is found.

CREATE TEMP VIEW member AS
SELECT d.classid, d.objid
FROM pg_depend d
JOIN pg_extension e ON e.oid = d.refobjid
WHERE d.refclassid = 'pg_extension'::regclass
  AND d.deptype = 'e'
  AND e.extname = 'mesflow';

CREATE TEMP VIEW function AS
SELECT p.*, l.lanname,
       'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}')) AS pinned
FROM pg_proc p
JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
JOIN pg_language l ON l.oid = p.prolang;

CREATE TEMP VIEW relation AS
SELECT c.*
FROM pg_class c
JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;

CREATE TEMP VIEW broken AS

-- The search path is pinned, or the body was bound when it was made. C
-- functions run no SQL by name. A procedure that commits cannot have one.
SELECT 'search path not pinned' AS rule, oid::regprocedure::text AS object
FROM function
WHERE NOT pinned AND lanname <> 'c' AND prosqlbody IS NULL AND prokind <> 'p'

-- What acts as its owner is pinned in any case.
UNION ALL
SELECT 'security definer not pinned', oid::regprocedure::text
FROM function
WHERE NOT pinned AND prosecdef

-- Nobody executes anything by being anybody.
UNION ALL
SELECT 'public executes', oid::regprocedure::text
FROM function f
WHERE EXISTS (SELECT FROM aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a WHERE a.grantee = 0)

-- Nor reads, writes or counts anything, or makes anything here.
UNION ALL
SELECT 'public has ' || a.privilege_type, r.oid::regclass::text
FROM relation r
CROSS JOIN aclexplode(r.relacl) a
WHERE a.grantee = 0
UNION ALL
SELECT 'public has ' || a.privilege_type, format('%s.%s', r.oid::regclass, t.attname)
FROM relation r
JOIN pg_attribute t ON t.attrelid = r.oid
CROSS JOIN aclexplode(t.attacl) a
WHERE a.grantee = 0
UNION ALL
SELECT 'public has CREATE', n.nspname
FROM pg_namespace n
JOIN pg_extension e ON e.extnamespace = n.oid AND e.extname = 'mesflow'
CROSS JOIN aclexplode(n.nspacl) a
WHERE a.grantee = 0 AND a.privilege_type = 'CREATE'

-- Everything is explained: functions, tables, views, and each column of what
-- people see.
UNION ALL
SELECT 'no comment', oid::regprocedure::text
FROM function
WHERE coalesce(obj_description(oid, 'pg_proc'), '') = ''
UNION ALL
SELECT 'no comment', oid::regclass::text
FROM relation
WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relispartition
  AND coalesce(obj_description(oid, 'pg_class'), '') = ''
UNION ALL
SELECT 'no comment', format('%s.%s', r.oid::regclass, a.attname)
FROM relation r
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT r.relispartition
  AND r.relname NOT LIKE '\_%'
  AND coalesce(col_description(a.attrelid, a.attnum), '') = ''

-- All of it is in one schema.
UNION ALL
SELECT 'in another schema', i.identity
FROM member m
CROSS JOIN pg_identify_object(m.classid, m.objid, 0) i
WHERE i.schema NOT IN ('mesflow', 'mesflow_api')

-- What may write is not run by parallel workers; C functions know.
UNION ALL
SELECT 'volatile and parallel safe', oid::regprocedure::text
FROM function
WHERE provolatile = 'v' AND proparallel = 's' AND lanname <> 'c';

-- There is something to look at, of each kind.
SELECT (SELECT count(*) > 0 FROM function WHERE lanname = 'c') AS c_functions,
       (SELECT count(*) > 0 FROM function WHERE lanname <> 'c') AS other_functions,
       (SELECT count(*) > 0 FROM relation WHERE relkind IN ('r', 'p')) AS tables,
       (SELECT count(*) > 0 FROM relation WHERE relkind = 'v') AS views;

SELECT rule, object FROM broken ORDER BY 1, 2;

-- The offenders.
CREATE FUNCTION mesflow.offender() RETURNS int
  LANGUAGE sql SECURITY DEFINER PARALLEL SAFE AS 'SELECT 1';
CREATE TABLE mesflow.offender (a int);
GRANT SELECT ON mesflow.offender TO PUBLIC;
GRANT UPDATE (a) ON mesflow.offender TO PUBLIC;
CREATE TABLE mesflow._offender (a int);
CREATE FUNCTION public.offender() RETURNS int LANGUAGE sql RETURN 1;
REVOKE ALL ON FUNCTION public.offender() FROM PUBLIC;
COMMENT ON FUNCTION public.offender() IS 'in another schema';
ALTER EXTENSION mesflow ADD FUNCTION mesflow.offender();
ALTER EXTENSION mesflow ADD TABLE mesflow.offender;
ALTER EXTENSION mesflow ADD TABLE mesflow._offender;
ALTER EXTENSION mesflow ADD FUNCTION public.offender();
GRANT CREATE ON SCHEMA mesflow TO PUBLIC;

SELECT rule, object FROM broken ORDER BY 1, 2;
