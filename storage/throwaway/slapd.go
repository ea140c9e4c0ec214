//go:build unix

package throwaway

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// slapdVariable names the folder of slapd, as its neighbours do theirs.
const slapdVariable = "PORTICO_TEST_SLAPD_BIN"

// Where packages put slapd, which ordinary people have not on PATH, its
// modules (where they are not built in) and its schemas.
var (
	slapdFolders   = []string{"/usr/sbin", "/usr/lib/openldap", "/usr/libexec", "/usr/local/libexec", "/opt/homebrew/opt/openldap/libexec"}
	moduleFolders  = []string{"/usr/lib/ldap", "/usr/lib64/openldap", "/usr/lib/openldap", "/usr/local/libexec/openldap"}
	schemaFolders  = []string{"/etc/ldap/schema", "/etc/openldap/schema", "/usr/local/etc/openldap/schema", "/opt/homebrew/etc/openldap/schema"}
	slapdSchemas   = []string{"core", "cosine", "inetorgperson"}
	slapdModules   = []string{"back_mdb", "memberof", "refint"}
	slapdListening = []byte("slapd starting")
)

// SlapdBase is the suffix of every directory that is started here, and
// SlapdAdmin who may change it, with SlapdPassword.
const (
	SlapdBase     = "dc=example,dc=test"
	SlapdAdmin    = "cn=admin," + SlapdBase
	SlapdPassword = "admin-secret"
)

// SlapdServer is an OpenLDAP directory on 127.0.0.1 that belongs to one test.
// It holds its base and nothing else. Its certificate is for that address and
// not for localhost. It keeps the attribute memberOf, shows passwords to nobody,
// and everything else only to who has bound.
type SlapdServer struct {
	t      testing.TB
	bin    string
	modify string
	dir    string
	log    string
	port   int
	tls    *Authority

	mu   sync.Mutex
	proc *child // nil while stopped
}

// Slapd starts a directory for one test; that takes about 100 ms. It ends with
// the test.
func Slapd(t testing.TB) *SlapdServer {
	t.Helper()
	s, err := makeSlapd()
	if err != nil {
		t.Fatal(err)
	}
	s.t = t
	t.Cleanup(s.destroy)
	s.Change("dn: " + SlapdBase + "\nchangetype: add\nobjectClass: dcObject\nobjectClass: organization\no: Example\n")
	return s
}

func makeSlapd() (*SlapdServer, error) {
	hint := func(err error) error {
		return fmt.Errorf("a test needs OpenLDAP: %w; run 'apt-get install slapd ldap-utils', or set %s to the folder of slapd", err, slapdVariable)
	}
	bin, err := find(slapdVariable, slapdFolders, "slapd")
	if err != nil {
		return nil, hint(err)
	}
	modify, err := exec.LookPath("ldapmodify")
	if err != nil {
		return nil, hint(errors.New("ldapmodify is not installed"))
	}
	dir, err := scratch("slapd-")
	if err != nil {
		return nil, err
	}
	authority, err := NewAuthority()
	if err != nil {
		return nil, err
	}
	s := &SlapdServer{bin: bin, modify: modify, dir: dir, log: dir + ".log", tls: authority}
	if err := s.configure(); err != nil {
		s.destroy()
		return nil, err
	}
	for range 5 { // another process may take the port that we saw free
		if s.port, err = freePort(); err != nil {
			break
		}
		if err = s.start(); !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		s.destroy()
		return nil, err
	}
	return s, nil
}

// configure writes the configuration, the certificate and an empty folder.
func (s *SlapdServer) configure() error {
	cert, key, err := s.tls.Issue("127.0.0.1")
	if err != nil {
		return err
	}
	conf, err := s.configuration()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"server.crt": cert, "server.key": key, "roots.pem": s.tls.Roots, "slapd.conf": conf} {
		if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return os.Mkdir(filepath.Join(s.dir, "data"), 0o700)
}

func (s *SlapdServer) configuration() ([]byte, error) {
	schemas, err := folderWith(schemaFolders, slapdSchemas[0]+".schema")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, name := range slapdSchemas {
		fmt.Fprintf(&b, "include %s/%s.schema\n", schemas, name)
	}
	fmt.Fprintf(&b, "pidfile %s\n", s.file("slapd.pid"))
	if modules, err := folderWith(moduleFolders, slapdModules[0]+".so"); err == nil {
		fmt.Fprintf(&b, "modulepath %s\n", modules)
		for _, name := range slapdModules {
			fmt.Fprintf(&b, "moduleload %s\n", name)
		}
	}
	fmt.Fprintf(&b, "TLSCertificateFile %s\nTLSCertificateKeyFile %s\nTLSCACertificateFile %s\nTLSVerifyClient never\n",
		s.file("server.crt"), s.file("server.key"), s.file("roots.pem"))
	fmt.Fprintf(&b, "database mdb\nmaxsize 67108864\nsuffix %q\nrootdn %q\nrootpw %s\ndirectory %s\n",
		SlapdBase, SlapdAdmin, SlapdPassword, s.file("data"))
	b.WriteString("access to attrs=userPassword by anonymous auth by * none\naccess to * by users read by * none\n")
	b.WriteString("overlay memberof\noverlay refint\nrefint_attributes member\n")
	return b.Bytes(), nil
}

func (s *SlapdServer) file(name string) string { return filepath.Join(s.dir, name) }

// folderWith returns the first folder that has the file.
func folderWith(folders []string, name string) (string, error) {
	for _, dir := range folders {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("none of %s has %s", strings.Join(folders, ", "), name)
}

// start runs the server and waits until it takes connections. A running one is
// left alone.
func (s *SlapdServer) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		return nil
	}
	ctx, cancel := within(startLimit)
	defer cancel()
	mark := fileSize(s.log)
	// With -d it stays in the foreground and says what it does.
	proc, err := spawn(exec.Command(filepath.Join(s.bin, "slapd"), "-d", "none", "-d", "stats", "-f", s.file("slapd.conf"),
		"-h", s.URL()+"/ "+s.TLSURL()+"/"), nil, s.log)
	if err != nil {
		return err
	}
	ready := false
	poll(ctx, func() bool {
		ready = bytes.Contains(readFrom(s.log, mark), slapdListening)
		return ready || proc.ended()
	})
	if ready && !proc.ended() {
		s.proc = proc
		return nil
	}
	proc.stop(syscall.SIGKILL)
	said := readFrom(s.log, mark)
	if bytes.Contains(said, []byte("Address already in use")) {
		return fmt.Errorf("slapd on port %d: %w", s.port, errPortTaken)
	}
	return fmt.Errorf("slapd did not start: %s", tail(said))
}

// URL is how a client reaches the server in plain text, or with StartTLS:
// ldap://127.0.0.1:PORT.
func (s *SlapdServer) URL() string { return s.url("ldap", s.port) }

// TLSURL is URL with TLS from the start: ldaps://127.0.0.1:PORT.
func (s *SlapdServer) TLSURL() string { return s.url("ldaps", s.port+busOffset) }

func (s *SlapdServer) url(scheme string, port int) string {
	return scheme + "://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// Roots is a file with the certificate, in PEM, that the server's comes from.
func (s *SlapdServer) Roots() string { return s.file("roots.pem") }

// Change carries out changes in LDIF as the administrator.
func (s *SlapdServer) Change(ldif string) {
	s.t.Helper()
	ctx, cancel := within(startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.modify, "-x", "-H", s.URL(), "-D", SlapdAdmin, "-w", SlapdPassword)
	cmd.Env = append(os.Environ(), "LDAPNOINIT=1") // whatever this machine asks elsewhere
	cmd.Stdin = strings.NewReader(ldif)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("ldapmodify: %v: %s", err, tail(out))
	}
}

// UUID returns the entryUUID of an entry.
func (s *SlapdServer) UUID(dn string) string {
	s.t.Helper()
	ctx, cancel := within(startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(s.modify), "ldapsearch"), "-x", "-LLL", "-H", s.URL(),
		"-D", SlapdAdmin, "-w", SlapdPassword, "-s", "base", "-b", dn, "entryUUID")
	cmd.Env = append(os.Environ(), "LDAPNOINIT=1")
	out, err := cmd.Output()
	_, id, found := strings.Cut(string(out), "entryUUID: ")
	if err != nil || !found {
		s.t.Fatalf("ldapsearch %s: %v: %s", dn, err, tail(out))
	}
	return strings.TrimSpace(id)
}

// Said is what the server has logged: a line for each operation, without
// passwords.
func (s *SlapdServer) Said() string { return string(readFrom(s.log, 0)) }

// Kill ends the server without warning (SIGKILL).
func (s *SlapdServer) Kill() { s.halt(syscall.SIGKILL) }

// Pause freezes the server: connections are taken by the kernel, and nothing
// answers. Resume lets it go on.
func (s *SlapdServer) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *SlapdServer) Resume() { s.signal(syscall.SIGCONT) }

func (s *SlapdServer) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		_ = s.proc.cmd.Process.Signal(sig)
	}
}

// Start runs a killed server again, on the same port and with what it has
// kept.
func (s *SlapdServer) Start() {
	s.t.Helper()
	if err := s.start(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *SlapdServer) halt(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return
	}
	s.proc.stop(sig)
	s.proc = nil
	_ = os.Remove(s.file("slapd.pid")) // else the guard might signal a stranger
}

func (s *SlapdServer) destroy() {
	s.halt(syscall.SIGKILL)
	_ = os.RemoveAll(s.dir) // else the guard does
	_ = os.Remove(s.log)
}
