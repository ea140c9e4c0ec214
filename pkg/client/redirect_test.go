package client_test

import (
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
)

func TestMatchRedirect(t *testing.T) {
	c := client.Client{RedirectURIs: []string{
		"https://app.example.test/cb", "https://app.example.test/cb?a=1", "http://127.0.0.1/cb", "http://[::1]:8080/cb",
		"http://localhost:3000/cb", "https://127.0.0.1/tls", "com.example.app:/cb", "http://127.0.0.1",
	}}
	match := []string{
		"https://app.example.test/cb", "https://app.example.test/cb?a=1", "http://127.0.0.1/cb", "http://127.0.0.1:1/cb",
		"http://127.0.0.1:65535/cb", "http://[::1]/cb", "http://[::1]:9/cb", "http://localhost:3000/cb", "com.example.app:/cb",
		"https://127.0.0.1/tls", "http://127.0.0.1:8080",
	}
	for _, uri := range match {
		if !c.MatchRedirect(uri) {
			t.Errorf("%s does not match", uri)
		}
	}
	refuse := map[string]string{
		"empty": "", "a slash more": "https://app.example.test/cb/", "letter case of the host": "https://APP.example.test/cb",
		"letter case of the path": "https://app.example.test/CB", "another query": "https://app.example.test/cb?a=2",
		"a query more": "https://app.example.test/cb?b=1", "a fragment": "https://app.example.test/cb#x", "an empty fragment": "https://app.example.test/cb#",
		"user-info": "https://app.example.test@evil.test/cb", "a subdomain": "https://x.app.example.test/cb", "a longer host": "https://app.example.test.evil.test/cb",
		"the default port": "https://app.example.test:443/cb", "http for https": "http://app.example.test/cb", "dots": "https://app.example.test/x/../cb",
		"escapes": "https://app.example.test/%63b", "a backslash": `https://app.example.test\cb`, "a blank": " https://app.example.test/cb",
		"RFC 8252 §7.3 localhost has no free port": "http://localhost:3001/cb", "RFC 8252 §7.3 another loopback": "http://127.0.0.2/cb",
		"RFC 8252 §7.3 https has no free port": "https://127.0.0.1:9/tls", "RFC 8252 §7.3 the scheme": "http://127.0.0.1/tls",
		"RFC 8252 §7.3 the path": "http://127.0.0.1:9/cb/x", "RFC 8252 §7.3 a query": "http://127.0.0.1:9/cb?x", "RFC 8252 §7.3 a fragment": "http://127.0.0.1:9/cb#x",
		"RFC 8252 §7.3 user-info": "http://u@127.0.0.1:9/cb", "RFC 8252 §7.3 user-info with a port": "http://127.0.0.1:9@evil.test/cb",
		"RFC 8252 §7.3 another spelling": "http://127.1/cb", "RFC 8252 §7.3 a number": "http://2130706433/cb", "RFC 8252 §7.3 a mapped one": "http://[::ffff:127.0.0.1]/cb",
		"RFC 8252 §7.3 a long one": "http://[0:0:0:0:0:0:0:1]/cb", "RFC 8252 §7.3 a zone": "http://[::1%25lo]/cb", "RFC 8252 §7.3 an empty port": "http://127.0.0.1:/cb",
		"RFC 8252 §7.3 port 0": "http://127.0.0.1:0/cb", "RFC 8252 §7.3 port 65536": "http://127.0.0.1:65536/cb", "RFC 8252 §7.3 letters": "http://127.0.0.1:80a/cb",
		"RFC 8252 §7.3 a signed port": "http://127.0.0.1:+80/cb", "RFC 8252 §7.3 an open bracket": "http://[::1/cb", "the scheme in capitals": "HTTP://127.0.0.1/cb",
		"a private scheme's case": "COM.example.app:/cb", "too long": "https://app.example.test/cb" + strings.Repeat("a", 3000),
	}
	for name, uri := range refuse {
		if c.MatchRedirect(uri) {
			t.Errorf("%s: %q matches", name, uri)
		}
	}
}

func TestValidateRedirectURI(t *testing.T) {
	good := map[string]client.ApplicationType{
		"https://app.example.test/cb": client.Web, "https://app.example.test": client.Web, "https://app.example.test:8443/cb?x=1": client.Web,
		"http://127.0.0.1/cb": client.Web, "http://[::1]:8080/cb": client.Native, "http://localhost:3000/cb": client.Web,
		"com.example.app:/cb": client.Native, "com.example.app://cb": client.Native,
	}
	for uri, kind := range good {
		if err := client.ValidateRedirectURI(uri, kind); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
	bad := map[string]string{
		"empty": "", "relative": "/cb", "no scheme": "app.example.test/cb", "plain http": "http://app.example.test/cb",
		"a lookalike of loopback": "http://127.0.0.1.evil.test/cb", "localhost below a domain": "http://localhost.evil.test/cb",
		"a fragment": "https://app.example.test/cb#x", "an empty fragment": "https://app.example.test/cb#", "user-info": "https://u@app.example.test/cb",
		"a wildcard": "https://*.example.test/cb", "a script": "javascript:alert(1)", "a script in capitals": "JavaScript:alert(1)", "data": "data:text/html,x",
		"vbscript": "vbscript:x", "file": "file:///etc/passwd", "blob": "blob:https://x", "a blank": "https://app.example.test/c b", "a tab": "java\tscript:x",
		"a line break": "https://app.example.test/\ncb", "a null byte": "https://app.example.test/\x00", "no host": "https:///cb", "a port alone": "https://:443/cb",
		"an empty port": "https://app.example.test:/cb", "opaque": "https:app.example.test", "a backslash": `https://app.example.test\cb`, "umlauts": "https://äpp.example.test/cb",
		"a scheme in capitals": "HTTPS://app.example.test/cb", "a scheme without a dot": "myapp:/cb", "too long": "https://app.example.test/" + strings.Repeat("a", 2048),
		"quotes": `https://app.example.test/"`, "braces": "https://app.example.test/{x}",
	}
	for name, uri := range bad {
		for _, kind := range []client.ApplicationType{client.Web, client.Native} {
			err := client.ValidateRedirectURI(uri, kind)
			if fault.CodeOf(err) != "invalid_redirect_uri" {
				t.Errorf("%s (%s): %q gives %v", name, kind, uri, err)
			}
		}
	}
	if err := client.ValidateRedirectURI("com.example.app:/cb", client.Web); err == nil {
		t.Error("a web client may use a private scheme")
	}
}

func FuzzRedirects(f *testing.F) {
	for _, s := range []string{"https://a.test/", "http://127.0.0.1:1/x", "http://[::1]/", "com.x:/y", "javascript:x", "http://127.0.0.1:1@b/"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, registered, sent string) {
		c := client.Client{RedirectURIs: []string{registered}}
		if client.ValidateRedirectURI(registered, client.Native) != nil || !c.MatchRedirect(sent) || sent == registered {
			return
		}
		// The only freedom: the port of a loopback IP literal over http.
		if !strings.HasPrefix(sent, "http://127.") && !strings.HasPrefix(sent, "http://[") {
			t.Fatalf("%q matches %q", sent, registered)
		}
		if strings.ContainsAny(sent, "@#") {
			t.Fatalf("%q matches %q", sent, registered)
		}
	})
}
