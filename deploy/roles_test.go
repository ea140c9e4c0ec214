// Package deploy_test proves what the files in this folder promise: the roles
// on a real Postgres, the rest against the settings that the server reads.
package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/portico-id/portico/storage/throwaway"
)

func TestMain(m *testing.M) { os.Exit(throwaway.Main(m)) }

// Codes of PostgreSQL that the tests wait for.
const (
	insufficientPrivilege = "42501"
	invalidPassword       = "28P01"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func mustExec(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func sqlState(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code
	}
	return ""
}

func script(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// schema stands for what migrations make.
const schema = `
CREATE TABLE thing (id bigserial PRIMARY KEY, name text);
CREATE TABLE schema_version (version bigint);
INSERT INTO schema_version VALUES (1);
CREATE FUNCTION secret_function() RETURNS int LANGUAGE sql AS 'SELECT 1'`

// withRoles returns a database on which the script has run before and after
// the first migration, as its comment tells.
func withRoles(t *testing.T) *throwaway.PG {
	t.Helper()
	db := throwaway.NewPostgres(t, throwaway.PGOptions{}).Database(t)
	admin := connect(t, db.URL())
	mustExec(t, admin, script(t, "sql/roles.sql"))
	mustExec(t, connect(t, db.URLAs("portico_owner")), schema)
	mustExec(t, admin, script(t, "sql/roles.sql"))
	return db
}

func TestAppRoleWorksWithRowsAndNothingElse(t *testing.T) {
	db := withRoles(t)
	app := connect(t, db.URLAs("portico_app"))
	for _, statement := range []string{
		"INSERT INTO thing (name) VALUES ('a') RETURNING id", // takes a number from the sequence
		"UPDATE thing SET name = 'b'",
		"SELECT id, name FROM thing FOR UPDATE",
		"DELETE FROM thing",
		"SELECT version FROM schema_version",
	} {
		if _, err := app.Exec(t.Context(), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for _, statement := range []string{
		"CREATE TABLE mine (id int)",
		"CREATE TEMPORARY TABLE mine (id int)",
		"CREATE TABLE mine AS SELECT * FROM thing",
		"CREATE SCHEMA mine",
		"CREATE VIEW mine AS SELECT * FROM thing",
		"CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"CREATE EXTENSION pg_trgm",
		"DROP TABLE thing",
		"DROP SCHEMA public CASCADE",
		"ALTER TABLE thing ADD COLUMN x int",
		"ALTER TABLE thing OWNER TO portico_app",
		"CREATE INDEX ON thing (name)",
		"TRUNCATE thing",
		"CREATE TRIGGER x BEFORE INSERT ON thing FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
		"INSERT INTO schema_version VALUES (99)",
		"UPDATE schema_version SET version = 0",
		"DELETE FROM schema_version",
		"SELECT secret_function()",
		"SET ROLE portico_owner",
		"ALTER ROLE portico_app CREATEDB",
		"CREATE ROLE mine",
		"CREATE DATABASE mine",
		"GRANT ALL ON thing TO PUBLIC",
		"SELECT rolpassword FROM pg_authid",
		"COPY thing TO '/tmp/portico-thing'",
		"COPY thing FROM PROGRAM 'echo 1'",
	} {
		if _, err := app.Exec(t.Context(), statement); sqlState(err) != insufficientPrivilege && !warnedOnly(t, app, statement, err) {
			t.Errorf("%s: %v, want insufficient_privilege", statement, err)
		}
	}
}

// warnedOnly covers GRANT, which Postgres answers with a warning when nothing
// could be granted: the right must then really not be there.
func warnedOnly(t *testing.T, app *pgx.Conn, statement string, err error) bool {
	t.Helper()
	if !strings.HasPrefix(statement, "GRANT") || err != nil {
		return false
	}
	var granted bool
	if err := app.QueryRow(t.Context(), "SELECT has_table_privilege('public', 'thing', 'TRUNCATE')").Scan(&granted); err != nil {
		t.Fatal(err)
	}
	return !granted
}

func TestOwnerRoleMigratesAndNothingElse(t *testing.T) {
	db := withRoles(t)
	owner := connect(t, db.URLAs("portico_owner"))
	mustExec(t, owner, "ALTER TABLE thing ADD COLUMN added int; CREATE TABLE later (id bigserial); DROP FUNCTION secret_function()")
	// What a later migration makes is ready for the server without the script.
	mustExec(t, connect(t, db.URLAs("portico_app")), "INSERT INTO later DEFAULT VALUES; UPDATE thing SET added = 1")
	for _, statement := range []string{
		"CREATE ROLE mine", "CREATE DATABASE mine", "CREATE SCHEMA mine", "SELECT rolpassword FROM pg_authid",
		"COPY thing FROM PROGRAM 'echo 1'", "ALTER ROLE portico_owner SUPERUSER",
	} {
		if _, err := owner.Exec(t.Context(), statement); sqlState(err) != insufficientPrivilege {
			t.Errorf("%s: %v, want insufficient_privilege", statement, err)
		}
	}
}

func TestOtherRolesOfTheServerStayOutside(t *testing.T) {
	db := withRoles(t)
	mustExec(t, connect(t, db.URL()), "CREATE ROLE neighbour LOGIN")
	if conn, err := pgx.Connect(t.Context(), db.URLAs("neighbour")); sqlState(err) != insufficientPrivilege {
		t.Errorf("connecting as another role: %v, %v; want insufficient_privilege", conn, err)
	}
}

// Managed databases give no superuser: the administrator owns the database
// and may make roles.
func TestRolesScriptNeedsNoSuperuser(t *testing.T) {
	server := throwaway.NewPostgres(t, throwaway.PGOptions{})
	db := server.Database(t)
	admin := connect(t, db.URL())
	mustExec(t, admin, "CREATE ROLE manager LOGIN CREATEROLE")
	var name string
	if err := admin.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	mustExec(t, admin, "ALTER DATABASE "+name+" OWNER TO manager")
	mustExec(t, admin, "ALTER SCHEMA public OWNER TO manager")
	mustExec(t, connect(t, db.URLAs("manager")), script(t, "sql/roles.sql"))
	mustExec(t, connect(t, db.URLAs("portico_owner")), schema)
	// It runs again when the tables exist already and belong to the owner.
	mustExec(t, connect(t, db.URLAs("manager")), script(t, "sql/roles.sql"))
	app := connect(t, db.URLAs("portico_app"))
	mustExec(t, app, "INSERT INTO thing (name) VALUES ('a')")
	if _, err := app.Exec(t.Context(), "DELETE FROM schema_version"); sqlState(err) != insufficientPrivilege {
		t.Errorf("writing the schema version: %v, want insufficient_privilege", err)
	}
}

func TestPasswordsScript(t *testing.T) {
	db := throwaway.NewPostgres(t, throwaway.PGOptions{
		Auth: "host all portico_owner,portico_app 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n",
	}).Database(t)
	mustExec(t, connect(t, db.URL()), script(t, "sql/roles.sql"))

	cfg, err := pgx.ParseConfig(db.URL())
	if err != nil {
		t.Fatal(err)
	}
	passwords := map[string]string{"portico_owner": `o'; DROP ROLE portico_app; --`, "portico_app": "a-plain-one"}
	cmd := exec.CommandContext(t.Context(), "sh", "compose/passwords.sh")
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "PGHOST=127.0.0.1", fmt.Sprintf("PGPORT=%d", cfg.Port),
		"POSTGRES_USER=" + cfg.User, "POSTGRES_DB=" + cfg.Database,
		"PORTICO_OWNER_PASSWORD=" + passwords["portico_owner"], "PORTICO_APP_PASSWORD=" + passwords["portico_app"],
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("passwords.sh: %v: %s", err, out)
	}
	for role, password := range passwords {
		other := passwords["portico_owner"]
		if role == "portico_owner" {
			other = passwords["portico_app"]
		}
		for given, want := range map[string]string{password: "", "wrong": invalidPassword, other: invalidPassword} {
			login := cfg.Copy()
			login.User, login.Password = role, given
			conn, err := pgx.ConnectConfig(t.Context(), login)
			if err == nil {
				_ = conn.Close(t.Context())
			}
			if sqlState(err) != want || want == "" && err != nil {
				t.Errorf("%s with password %q: %v, want %q", role, given, err, want)
			}
		}
	}
}
