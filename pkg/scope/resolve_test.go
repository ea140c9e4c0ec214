package scope_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/scope"
)

const (
	issuer = "https://id.example.test"
	orders = "https://orders.example.test"
	stock  = "https://stock.example.test/api"
	plain  = "urn:example:plain" // an API without scopes
)

func apis() []scope.API {
	return []scope.API{
		{
			Audience: orders, Name: "Orders", Format: scope.JWT, TokenTTL: 10 * time.Minute, OpenToDynamic: true,
			ResourceServers: []string{"orders-server"},
			Scopes: []scope.Scope{
				{Name: "orders:read", Description: "See your orders"},
				{Name: "orders:write"},
				{Name: "orders:admin", RequiresRole: "clerk"},
			},
		},
		{
			Audience: stock, Format: scope.Opaque, TokenTTL: 5 * time.Minute, PlainType: true, RolesInToken: true,
			Scopes: []scope.Scope{{Name: "stock:read"}},
		},
		{Audience: plain, Format: scope.JWT},
	}
}

func shop() *client.Client {
	return &client.Client{
		ID: "shop", Source: client.Operator,
		Scopes:    []string{"openid", "email", "offline_access", "orders:read", "orders:write", "stock:read", "house"},
		Audiences: []string{plain},
	}
}

func newcomer() *client.Client {
	return &client.Client{ID: "newcomer", Source: client.Dynamic, Scopes: []string{"openid", "email", "orders:read"}}
}

func TestResolve(t *testing.T) {
	tests := map[string]struct {
		client    *client.Client
		scopes    string
		resources []string
		machine   bool
		granted   bool
		dev       bool
		want      string // scopes
		aud       string
		code      string
	}{
		"openid adds the issuer":                          {scopes: "openid email", want: "openid email", aud: issuer},
		"the API that owns the scopes":                    {scopes: "orders:read", want: "orders:read", aud: orders},
		"the API and the issuer for userinfo":             {scopes: "openid orders:read", want: "openid orders:read", aud: orders + " " + issuer},
		"the order asked is kept":                         {scopes: "orders:write email openid orders:read", want: "orders:write email openid orders:read", aud: orders + " " + issuer},
		"a scope twice counts once":                       {scopes: "orders:read orders:read", want: "orders:read", aud: orders},
		"no API owns it: the issuer":                      {scopes: "house", want: "house", aud: issuer},
		"nothing asked":                                   {want: "", aud: issuer},
		"OIDC Core §3.1.2.1 unknown beside openid":        {scopes: "openid nonsense", want: "openid", aud: issuer},
		"unknown without openid":                          {scopes: "orders:read nonsense", code: "invalid_scope"},
		"above the ceiling, of Portico":                   {scopes: "openid phone", code: "invalid_scope"},
		"above the ceiling, of an API":                    {scopes: "openid orders:admin", code: "invalid_scope"},
		"letter case counts":                              {scopes: "openid Email", want: "openid", aud: issuer},
		"openid itself above the ceiling":                 {client: &client.Client{ID: "c", Scopes: []string{"orders:read"}}, scopes: "openid", code: "invalid_scope"},
		"two APIs without resource":                       {scopes: "orders:read stock:read", code: "invalid_scope"},
		"two APIs, both named":                            {scopes: "orders:read stock:read", resources: []string{stock, orders}, want: "orders:read stock:read", aud: stock + " " + orders},
		"two APIs, one named":                             {scopes: "orders:read stock:read", resources: []string{orders}, code: "invalid_scope"},
		"a scope outside the resource":                    {scopes: "stock:read", resources: []string{orders}, code: "invalid_scope"},
		"RFC 8707 §2 resource":                            {scopes: "openid orders:read", resources: []string{orders}, want: "openid orders:read", aud: orders + " " + issuer},
		"resource twice":                                  {scopes: "orders:read", resources: []string{orders, orders}, want: "orders:read", aud: orders},
		"resource of an API without scopes":               {scopes: "email", resources: []string{plain}, want: "email", aud: plain},
		"resource unknown":                                {scopes: "openid", resources: []string{"https://elsewhere.test"}, code: "invalid_target"},
		"resource with a slash more":                      {scopes: "orders:read", resources: []string{orders + "/"}, code: "invalid_target"},
		"resource in capitals":                            {scopes: "orders:read", resources: []string{strings.ToUpper(orders)}, code: "invalid_target"},
		"RFC 8707 §2 resource with fragment":              {scopes: "orders:read", resources: []string{orders + "#a"}, code: "invalid_target"},
		"RFC 8707 §2 resource with an empty fragment":     {scopes: "orders:read", resources: []string{orders + "#"}, code: "invalid_target"},
		"RFC 8707 §2 resource relative":                   {scopes: "orders:read", resources: []string{"/orders"}, code: "invalid_target"},
		"RFC 8707 §2 resource without scheme":             {scopes: "orders:read", resources: []string{"orders.example.test"}, code: "invalid_target"},
		"resource empty":                                  {scopes: "orders:read", resources: []string{""}, code: "invalid_target"},
		"resource with user-info":                         {scopes: "orders:read", resources: []string{"https://a@orders.example.test"}, code: "invalid_target"},
		"resource above the bound":                        {scopes: "orders:read", resources: []string{orders + "/" + strings.Repeat("a", 600)}, code: "invalid_target"},
		"one bad resource among good ones":                {scopes: "orders:read", resources: []string{orders, "nope"}, code: "invalid_target"},
		"resource above the ceiling":                      {client: &client.Client{ID: "c", Scopes: []string{"openid"}}, scopes: "openid", resources: []string{orders}, code: "invalid_target"},
		"resource is the issuer":                          {scopes: "openid", resources: []string{issuer}, want: "openid", aud: issuer},
		"no scope, a resource: its scopes in the ceiling": {resources: []string{orders}, want: "orders:read orders:write", aud: orders},
		"no scope granted stays none":                     {resources: []string{orders}, granted: true, want: "", aud: orders},

		"dynamic client, an open API":              {client: newcomer(), scopes: "orders:read", want: "orders:read", aud: orders},
		"dynamic client, resource of an open API":  {client: newcomer(), scopes: "openid", resources: []string{orders}, want: "openid", aud: orders + " " + issuer},
		"dynamic client, an API that is not open":  {client: newcomer(), scopes: "openid", resources: []string{stock}, code: "invalid_target"},
		"dynamic client, above its registration":   {client: newcomer(), scopes: "orders:write", code: "invalid_scope"},
		"dynamic client, loopback resource in dev": {client: newcomer(), dev: true, scopes: "openid", resources: []string{"http://127.0.0.1:9000/mcp"}, want: "openid", aud: "http://127.0.0.1:9000/mcp " + issuer},
		"dynamic client, localhost in dev":         {client: newcomer(), dev: true, scopes: "openid", resources: []string{"http://localhost:9000/mcp"}, want: "openid", aud: "http://localhost:9000/mcp " + issuer},
		"dynamic client, IPv6 loopback in dev":     {client: newcomer(), dev: true, resources: []string{"http://[::1]:9000/"}, want: "", aud: "http://[::1]:9000/"},
		"dynamic client, loopback in production":   {client: newcomer(), scopes: "openid", resources: []string{"http://127.0.0.1:9000/mcp"}, code: "invalid_target"},
		"dynamic client, loopback lookalike":       {client: newcomer(), dev: true, scopes: "openid", resources: []string{"http://127.0.0.1.evil.test/"}, code: "invalid_target"},
		"dynamic client, loopback of another kind": {client: newcomer(), dev: true, scopes: "openid", resources: []string{"ftp://127.0.0.1/"}, code: "invalid_target"},
		"dynamic client, localhost in front":       {client: newcomer(), dev: true, scopes: "openid", resources: []string{"http://localhost@evil.test/"}, code: "invalid_target"},
		"operator's client, loopback in dev":       {dev: true, scopes: "openid", resources: []string{"http://127.0.0.1:9000/mcp"}, code: "invalid_target"},
		"a scope of an API at a loopback resource": {client: newcomer(), dev: true, scopes: "orders:read", resources: []string{"http://127.0.0.1:9000/"}, code: "invalid_scope"},

		"machine":                               {machine: true, scopes: "orders:read", want: "orders:read", aud: orders},
		"machine asks for openid":               {machine: true, scopes: "openid orders:read", code: "invalid_scope"},
		"machine asks for offline_access":       {machine: true, scopes: "offline_access orders:read", code: "invalid_scope"},
		"machine asks for what nobody knows":    {machine: true, scopes: "nonsense", code: "invalid_scope"},
		"machine, no scope: all of its own":     {machine: true, client: &client.Client{ID: "m", Scopes: []string{"openid", "orders:read", "orders:write"}}, want: "orders:read orders:write", aud: orders},
		"machine, no scope, nothing of its own": {machine: true, client: &client.Client{ID: "m", Scopes: []string{"openid"}}, want: "", aud: issuer},
		"machine, no scope, two APIs":           {machine: true, code: "invalid_scope"},
		"machine, no scope, one of two APIs":    {machine: true, resources: []string{stock}, want: "stock:read", aud: stock},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := scope.NewService(&memory{apis: apis()}, scope.Config{Issuer: issuer, LoopbackResources: tt.dev})
			c := tt.client
			if c == nil {
				c = shop()
			}
			got, err := s.Resolve(context.Background(), scope.Ask{
				Client: c, Scopes: strings.Fields(tt.scopes), Resources: tt.resources, Machine: tt.machine, Granted: tt.granted,
			})
			if fault.CodeOf(err) != tt.code || (err == nil) != (tt.code == "") {
				t.Fatalf("Resolve(%q, %q): %v; want code %q", tt.scopes, tt.resources, err, tt.code)
			}
			if err != nil {
				if f := fault.As(err); f.Kind != fault.Invalid || f.Rule == "" {
					t.Errorf("refused with %+v; want invalid, under a rule", f)
				}
				return
			}
			if strings.Join(got.Scopes, " ") != tt.want || strings.Join(got.Audiences, " ") != tt.aud {
				t.Errorf("Resolve(%q, %q) = scopes %q for %q; want %q for %q", tt.scopes, tt.resources, got.Scopes, got.Audiences, tt.want, tt.aud)
			}
		})
	}
}

func TestTokenIsAsItsAPIsWant(t *testing.T) {
	tests := map[string]struct {
		scopes    []string
		resources []string
		want      scope.Answer
	}{
		"no API":      {scopes: []string{"openid"}, want: scope.Answer{Format: scope.JWT}},
		"one API":     {scopes: []string{"openid", "orders:read"}, want: scope.Answer{Format: scope.JWT, TokenTTL: 10 * time.Minute}},
		"opaque":      {scopes: []string{"stock:read"}, want: scope.Answer{Format: scope.Opaque, TokenTTL: 5 * time.Minute, PlainType: true, RolesInToken: true}},
		"resource":    {resources: []string{orders}, want: scope.Answer{Format: scope.JWT, TokenTTL: 10 * time.Minute}},
		"both":        {resources: []string{orders, stock}, want: scope.Answer{Format: scope.Opaque, TokenTTL: 5 * time.Minute, PlainType: true, RolesInToken: true}},
		"without TTL": {resources: []string{plain, orders}, want: scope.Answer{Format: scope.JWT, TokenTTL: 10 * time.Minute}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := scope.NewService(&memory{apis: apis()}, scope.Config{Issuer: issuer})
			got, err := s.Resolve(context.Background(), scope.Ask{Client: shop(), Scopes: tt.scopes, Resources: tt.resources})
			if err != nil {
				t.Fatal(err)
			}
			if got.Format != tt.want.Format || got.TokenTTL != tt.want.TokenTTL || got.PlainType != tt.want.PlainType || got.RolesInToken != tt.want.RolesInToken {
				t.Errorf("Resolve(%q, %q) = %+v, want %+v", tt.scopes, tt.resources, got, tt.want)
			}
		})
	}
}

func TestPersonMay(t *testing.T) {
	s := scope.NewService(&memory{apis: apis()}, scope.Config{Issuer: issuer})
	asked := []string{"openid", "orders:admin", "orders:read", "unknown"}
	for role, want := range map[string]string{
		"":       "openid orders:read unknown",
		"clerks": "openid orders:read unknown",
		"Clerk":  "openid orders:read unknown",
		"clerk":  "openid orders:admin orders:read unknown",
	} {
		got, err := s.PersonMay(context.Background(), asked, []string{"other", role})
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("PersonMay with role %q = %q, %v; want %q", role, got, err, want)
		}
	}
}

func TestMayIntrospect(t *testing.T) {
	s := scope.NewService(&memory{apis: apis()}, scope.Config{Issuer: issuer})
	tests := []struct {
		client    string
		audiences []string
		want      bool
	}{
		{"orders-server", []string{orders}, true},
		{"orders-server", []string{issuer, orders}, true},
		{"orders-server", []string{stock}, false},
		{"orders-server", []string{orders + "/"}, false},
		{"orders-server", nil, false},
		{"shop", []string{orders}, false},
		{"", []string{orders, stock, plain}, false},
	}
	for _, tt := range tests {
		if got, err := s.MayIntrospect(context.Background(), tt.client, tt.audiences); err != nil || got != tt.want {
			t.Errorf("MayIntrospect(%q, %q) = %v, %v; want %v", tt.client, tt.audiences, got, err, tt.want)
		}
	}
}

func TestDescribeAndDynamicDefaults(t *testing.T) {
	s := scope.NewService(&memory{apis: apis()}, scope.Config{Issuer: issuer})
	got, err := s.Describe(context.Background(), []string{"orders:read", "openid", "house"})
	want := []scope.Described{
		{Name: "orders:read", Description: "See your orders", API: "Orders", Audience: orders},
		{Name: "openid"},
		{Name: "house"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Describe = %+v, %v; want %+v", got, err, want)
	}
	scopes, audiences, err := s.ForDynamic(context.Background())
	if err != nil || !slices.Contains(scopes, "openid") || !slices.Contains(scopes, "orders:read") ||
		slices.Contains(scopes, "stock:read") || !slices.Equal(audiences, []string{orders}) {
		t.Errorf("ForDynamic = %q, %q, %v; want Portico's and the open API's alone", scopes, audiences, err)
	}
}
