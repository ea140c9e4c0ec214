-- Least-privilege roles for Portico on Postgres 14 or newer.
--
--   portico_owner  runs 'portico migrate': owns the schema, may change it
--   portico_app    runs 'portico serve': reads and writes rows, changes no schema
--
-- Run it in Portico's database as its owner or as a superuser:
--   psql -d portico -f deploy/sql/roles.sql
-- then give both roles a password: \password portico_owner, \password portico_app.
--
-- It may be repeated. Do so once after the first migration: it then takes from
-- portico_app the right to write the table of schema versions.

BEGIN;

DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['portico_owner', 'portico_app'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
			EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION', name);
		END IF;
		-- By default every role of the server may connect and make temporary tables.
		EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
	END LOOP;
	EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());

	-- An administrator who is no superuser sets the default privileges of
	-- portico_owner below as its member.
	IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
		EXECUTE format('GRANT portico_owner TO %I', current_user);
	END IF;
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO portico_owner;
GRANT USAGE ON SCHEMA public TO portico_app;

-- What is there already, and what migrations will add.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO portico_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO portico_app;
ALTER DEFAULT PRIVILEGES FOR ROLE portico_owner IN SCHEMA public
	GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO portico_app;
ALTER DEFAULT PRIVILEGES FOR ROLE portico_owner IN SCHEMA public
	GRANT USAGE, SELECT ON SEQUENCES TO portico_app;
ALTER DEFAULT PRIVILEGES FOR ROLE portico_owner
	REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- A server that could write schema versions could pretend to a migration.
DO $$
BEGIN
	IF to_regclass('public.schema_version') IS NOT NULL THEN
		REVOKE INSERT, UPDATE, DELETE ON public.schema_version FROM portico_app;
	END IF;
END
$$;

COMMIT;
