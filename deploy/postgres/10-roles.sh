#!/bin/sh
# Two roles: `koogallery_owner` owns the tables and runs migrations; `koogallery` is what the platform runs as. It is
# neither owner nor superuser, so it can switch off no trigger and truncate no ledger.
set -eu

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    --set owner_password="$OWNER_PASSWORD" --set role_password="$ROLE_PASSWORD" \
    --set owner="${OWNER_NAME:-koogallery_owner}" --set role="${ROLE_NAME:-koogallery}" \
    --set database="${DATABASE_NAME:-koogallery}" <<'SQL'
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password' NOSUPERUSER NOCREATEROLE NOCREATEDB;
CREATE ROLE :"role" LOGIN PASSWORD :'role_password' NOSUPERUSER NOCREATEROLE NOCREATEDB;
CREATE DATABASE :"database" OWNER :"owner" TEMPLATE template0 ENCODING UTF8
    LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8';
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"role";
\connect :database
ALTER SCHEMA public OWNER TO :"owner";
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :"role";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"role";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO :"role";
SQL
