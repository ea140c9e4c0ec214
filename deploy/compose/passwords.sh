#!/bin/sh
# Gives the roles of deploy/sql/roles.sql their passwords, from the environment
# and not from a file. The Postgres image runs it once, after roles.sql, when
# its data folder is new.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
	--username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv owner PORTICO_OWNER_PASSWORD
\getenv app PORTICO_APP_PASSWORD
ALTER ROLE portico_owner PASSWORD :'owner';
ALTER ROLE portico_app PASSWORD :'app';
SQL
