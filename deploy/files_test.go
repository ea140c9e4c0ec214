package deploy_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/portico-id/portico/pkg/config"
)

// compose is as much of the file as the tests look at.
type compose struct {
	Services map[string]service
	Networks map[string]struct{ Internal bool }
	Volumes  map[string]struct{}
}

type service struct {
	Build       struct{ Context, Dockerfile string }
	Image       string
	Command     []string
	Environment map[string]string
	Ports       []string
	Networks    []string
	Volumes     []string
	Healthcheck struct {
		Test    []string
		Disable bool
	}
	DependsOn map[string]struct{ Condition string } `yaml:"depends_on"`
	ReadOnly  bool                                  `yaml:"read_only"`
	CapDrop   []string                              `yaml:"cap_drop"`
	Restart   string
	// Named so that a misspelt key is found.
	Security []string `yaml:"security_opt"`
	Grace    string   `yaml:"stop_grace_period"`
}

// variable is ${NAME}, ${NAME:-default} or ${NAME:?sentence}.
var variable = regexp.MustCompile(`\$\{(\w+)(:[-?])?([^}]*)\}`)

// interpolate does what docker compose does with variables.
func interpolate(t *testing.T, text string, env map[string]string) string {
	t.Helper()
	return variable.ReplaceAllStringFunc(text, func(ref string) string {
		part := variable.FindStringSubmatch(ref)
		if value := env[part[1]]; value != "" {
			return value
		}
		if part[2] == ":?" {
			t.Errorf("%s has no value", part[1])
		}
		return part[3]
	})
}

func readCompose(t *testing.T, env map[string]string) compose {
	t.Helper()
	var c compose
	in := yaml.NewDecoder(strings.NewReader(interpolate(t, script(t, "../docker-compose.yml"), env)))
	if err := in.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

// byHand are settings that a person fills in with something of their own;
// everything else that is empty is a secret.
var byHand = map[string]string{
	"PORTICO_TRUSTED_PROXIES": "", "PORTICO_SIGNUP": "open",
	"PORTICO_SMTP_URL": "smtp://portico:secret@mail.example.com:587", "PORTICO_MAIL_FROM": "Example <no-reply@example.com>",
}

// filled is .env as a person would fill it in.
func filled(t *testing.T) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, line := range strings.Split(script(t, "../.env.example"), "\n") {
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if written, ok := byHand[name]; ok {
			value = written
		} else if value == "" {
			raw := make([]byte, 32)
			_, _ = rand.Read(raw)
			value = fmt.Sprintf("%x", raw[:24])
			if strings.Contains(name, "KEYS") {
				value = base64.StdEncoding.EncodeToString(raw)
			}
		}
		env[name] = value
	}
	return env
}

func TestEnvExampleNamesWhatComposeWants(t *testing.T) {
	example := filled(t)
	text := script(t, "../docker-compose.yml")
	used := map[string]bool{}
	for _, part := range variable.FindAllStringSubmatch(text, -1) {
		name, kind := part[1], part[2]
		used[name] = true
		if _, ok := example[name]; !ok {
			t.Errorf(".env.example lacks %s", name)
		}
		isSecret := strings.Contains(name, "PASSWORD") || strings.Contains(name, "KEYS")
		if isSecret && kind != ":?" {
			t.Errorf("%s may be left out, want a refusal: a secret has no default", part[0])
		}
	}
	for name := range example {
		if !used[name] {
			t.Errorf(".env.example has %s, which docker-compose.yml does not use", name)
		}
	}
}

func TestComposeGivesTheServerSettingsThatItTakes(t *testing.T) {
	c := readCompose(t, filled(t))
	for name, check := range map[string]bool{"portico": true, "migrate": false} {
		var env []string
		for k, v := range c.Services[name].Environment {
			env = append(env, k+"="+v)
		}
		cfg, err := config.Load(config.Sources{Env: env})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if check {
			if err := cfg.CheckServe(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		wantRole := map[string]string{"portico": "portico_app", "migrate": "portico_owner"}[name]
		if !strings.Contains(cfg.DatabaseURL, "//"+wantRole+":") {
			t.Errorf("%s does not use the role %s", name, wantRole)
		}
	}
}

func TestComposeIsClosedAndKeepsWhatItMust(t *testing.T) {
	c := readCompose(t, filled(t))
	for name, s := range c.Services {
		for _, port := range s.Ports {
			if name != "portico" || !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s, want Portico on loopback only", name, port)
			}
		}
		if len(s.Healthcheck.Test) == 0 && !s.Healthcheck.Disable {
			t.Errorf("%s has no health check", name)
		}
		if s.Build.Dockerfile != "" && (!s.ReadOnly || len(s.CapDrop) != 1 || s.CapDrop[0] != "ALL") {
			t.Errorf("%s may write its file system or holds capabilities", name)
		}
		if len(s.Security) == 0 || s.Restart == "" {
			t.Errorf("%s may gain privileges, or has no restart rule", name)
		}
		for needed, how := range s.DependsOn {
			other, known := c.Services[needed]
			if !known || how.Condition == "service_healthy" && other.Healthcheck.Disable {
				t.Errorf("%s waits for %s to be %s, which cannot happen", name, needed, how.Condition)
			}
		}
		for _, n := range s.Networks {
			if _, known := c.Networks[n]; !known {
				t.Errorf("%s joins the unknown network %s", name, n)
			}
		}
		for _, v := range s.Volumes {
			source, _, _ := strings.Cut(v, ":")
			_, named := c.Volumes[source]
			if _, err := os.Stat(filepath.Join("..", source)); !named && err != nil {
				t.Errorf("%s mounts %s, which is neither a volume nor a file", name, source)
			}
		}
	}
	if !c.Networks["data"].Internal {
		t.Error("the network of the stores is not internal")
	}
	redis := strings.Join(c.Services["redis"].Command, " ")
	for _, want := range []string{"--appendonly yes", "--maxmemory-policy noeviction", "--requirepass "} {
		if !strings.Contains(redis, want) {
			t.Errorf("redis runs as %q, want %q", redis, want)
		}
	}
}

var instruction = regexp.MustCompile(`(?m)^([A-Z]+) +(.*)$`)

func TestDockerfile(t *testing.T) {
	text := strings.ReplaceAll(script(t, "Dockerfile"), "\\\n", " ")
	last := text[strings.LastIndex(text, "\nFROM "):]
	got := map[string]string{}
	for _, m := range instruction.FindAllStringSubmatch(last, -1) {
		got[m[1]] = m[2]
	}
	for name, want := range map[string]string{
		"FROM": ":nonroot", "USER": "65532:65532", "HEALTHCHECK": `"healthcheck"`,
		"ENTRYPOINT": `["/usr/local/bin/portico"]`, "CMD": `["serve"]`, "STOPSIGNAL": "SIGTERM",
	} {
		if !strings.Contains(got[name], want) {
			t.Errorf("%s is %q, want %q in it", name, got[name], want)
		}
	}
	if _, run := got["RUN"]; run {
		t.Error("the last stage runs a command, and has no shell for it")
	}
	goMod := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(script(t, "../go.mod"))
	if want := "ARG GO_VERSION=" + goMod[1]; !strings.Contains(text, want+"\n") {
		t.Errorf("the Dockerfile lacks %q", want)
	}
	ignored := script(t, "Dockerfile.dockerignore")
	for _, secret := range []string{".env", ".portico", ".git"} {
		if !strings.Contains(ignored, "\n"+secret+"\n") {
			t.Errorf("%s would be copied into the build", secret)
		}
	}
}

// The linker sets a variable by name and says nothing when there is none.
func TestVersionIsSetWhereItExists(t *testing.T) {
	set := regexp.MustCompile(`-X github\.com/portico-id/portico/(\S+)\.(\w+)=`)
	for _, file := range []string{"Dockerfile", "../Makefile"} {
		m := set.FindStringSubmatch(script(t, file))
		if m == nil {
			t.Errorf("%s sets no version", file)
			continue
		}
		sources, err := filepath.Glob(filepath.Join("..", m[1], "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		declared := false
		for _, source := range sources {
			declared = declared || bytes.Contains([]byte(script(t, source)), []byte("var "+m[2]+" "))
		}
		if !declared {
			t.Errorf("%s sets %s.%s, which is not declared", file, m[1], m[2])
		}
	}
}

func TestSystemdUnitGivesSettingsThatTheServerTakes(t *testing.T) {
	dir := t.TempDir()
	unit := script(t, "systemd/portico.service")
	env := []string{"PORTICO_ISSUER=https://id.example.com"}
	values := map[string]string{
		"encryption_keys": base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"database_url":    "postgres://portico_app:x@db.example.com/portico?sslmode=verify-full",
		"redis_url":       "rediss://:x@redis.example.com:6379",
	}
	for _, m := range regexp.MustCompile(`(?m)^LoadCredential=(\w+):`).FindAllStringSubmatch(unit, -1) {
		if err := os.WriteFile(filepath.Join(dir, m[1]), []byte(values[m[1]]+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^Environment=(\w+)=%d/(\w+)$`).FindAllStringSubmatch(unit, -1) {
		env = append(env, m[1]+"="+filepath.Join(dir, m[2]))
	}
	cfg, err := config.Load(config.Sources{Env: env})
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.CheckServe(); err != nil {
		t.Error(err)
	}
	if cfg.RedisURL != values["redis_url"] || cfg.DatabaseURL != values["database_url"] {
		t.Errorf("the unit leads to %q and %q", cfg.DatabaseURL, cfg.RedisURL)
	}
	for _, line := range []string{"DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "StateDirectory=portico"} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
}
