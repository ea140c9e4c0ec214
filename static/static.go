// Package static holds the stylesheet, the scripts and the icons of the
// pages, embedded in the binary. Each is served under a name that carries a
// digest of its content, so that a browser may keep it for ever and a new
// release is seen at once.
package static

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// Prefix is where the files are served, below the issuer.
const Prefix = "/static/"

//go:embed files
var embedded embed.FS

// file is one asset, ready to be sent.
type file struct {
	body        []byte
	contentType string
	hashed      string // app.0123456789ab.css
	etag        string
	policy      string // Content-Security-Policy of the file itself
}

// byName finds an asset by its plain name, byHash by the name it is served
// under. Both are filled once, before main, and never change.
var byName, byHash = load()

func load() (map[string]*file, map[string]*file) {
	names, hashes := map[string]*file{}, map[string]*file{}
	entries, err := fs.ReadDir(embedded, "files")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	for _, e := range entries {
		body, err := fs.ReadFile(embedded, "files/"+e.Name())
		if err != nil {
			panic(err)
		}
		f := newFile(e.Name(), body)
		names[e.Name()], hashes[f.hashed] = f, f
	}
	return names, hashes
}

func newFile(name string, body []byte) *file {
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:6])
	ext := path.Ext(name)
	return &file{
		body:        body,
		contentType: contentType(ext),
		hashed:      strings.TrimSuffix(name, ext) + "." + digest + ext,
		etag:        `"` + digest + `"`,
		policy:      strict,
	}
}

// strict keeps an SVG that is opened as a document from running anything.
const strict = "default-src 'none'; frame-ancestors 'none'"

// sandboxed is strict for a picture that somebody else drew: it may style
// itself and lives in an origin of its own.
const sandboxed = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"

// A File is an asset of the operator, served beside our own.
type File struct{ file *file }

// NewFile returns the asset. The name's ending says what it is: css, svg, png,
// webp or ico.
func NewFile(name string, body []byte) File {
	f := newFile(name, body)
	f.policy = sandboxed
	return File{f}
}

// Path returns the path of the file below the issuer.
func (f File) Path() string { return Prefix + f.file.hashed }

// Type returns its media type.
func (f File) Type() string { return f.file.contentType }

// contentType does not ask the machine's tables: they differ between hosts,
// and with nosniff a wrong type means a page without style.
func contentType(ext string) string {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".webp":
		return "image/webp"
	case ".ico":
		return "image/x-icon"
	default:
		return mime.TypeByExtension(ext)
	}
}

// Path returns the path of a file below the issuer, such as
// "/static/app.0123456789ab.css" for "app.css". An unknown name is a mistake
// in the program and panics.
func Path(name string) string {
	path, ok := Find(name)
	if !ok {
		panic("static: no file " + name)
	}
	return path
}

// Find is Path for a name that the program does not vouch for.
func Find(name string) (string, bool) {
	f, ok := byName[name]
	if !ok {
		return "", false
	}
	return Prefix + f.hashed, true
}

// Handler serves our files, and the operator's, under the hashed names below
// Prefix, wherever that is mounted. Any other name is answered 404.
func Handler(more ...File) http.Handler {
	served := maps.Clone(byHash)
	for _, f := range more {
		served[f.file.hashed] = f.file
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dir, name := path.Split(r.URL.Path)
		f, ok := served[name]
		if !ok || !strings.HasSuffix(dir, Prefix) { // the issuer may have a path of its own in front
			notFound(w)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		serve(w, r, f)
	})
}

// Icon serves /favicon.ico, for browsers and tools that ask without having
// read a page: own, or ours where there is none. Its name carries no digest,
// so it may be kept for a day only.
func Icon(own *File) http.Handler {
	f := byName["favicon.ico"]
	if own != nil {
		f = own.file
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=86400")
		serve(w, r, f)
	})
}

func serve(w http.ResponseWriter, r *http.Request, f *file) {
	secure(w, f.policy)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Del("Cache-Control")
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", f.contentType)
	w.Header().Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

func secure(w http.ResponseWriter, policy string) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", policy)
}

func notFound(w http.ResponseWriter) {
	secure(w, strict)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNotFound)
}
