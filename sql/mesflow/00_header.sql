\echo Use "CREATE EXTENSION mesflow" to load this file. \quit

COMMENT ON SCHEMA mesflow IS
  'mesflow: the order flow of a company that makes things to order from 3D models. Names with a leading underscore are private.';

DO $$
BEGIN
  IF current_setting('server_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION USING
      ERRCODE = 'MF503',
      MESSAGE = 'mesflow needs a database in UTF-8',
      DETAIL = format('The encoding of database "%s" is %s.', current_database(), current_setting('server_encoding')),
      HINT = 'Create the database with ENCODING ''UTF8'' TEMPLATE template0.';
  END IF;
END
$$;
