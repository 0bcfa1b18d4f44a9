-- The release of this schema; the library asks once, when it connects.
CREATE OR REPLACE FUNCTION taskcore.schema_version_v1()
RETURNS integer
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT 1 $$;

REVOKE ALL ON FUNCTION taskcore.schema_version_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.schema_version_v1 TO taskcore_app, taskcore_admin;
