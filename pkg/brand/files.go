package brand

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Bounds of a directory. A page is drawn from it at every request, and pictures
// go to everybody.
const (
	maxFiles   = 300
	maxFile    = 512 << 10
	maxPicture = 128 << 10
	maxPixels  = 1024 // of each side of a PNG
	maxDepth   = 3
)

// readDir reads the directory into memory. Names that begin with a dot are
// passed over: volumes of containers keep their own there. Links are followed
// inside of the directory and not out of it.
func readDir(dir string) (map[string][]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("the directory cannot be opened: %w", err)
	}
	defer func() { _ = root.Close() }()
	files := map[string][]byte{}
	return files, walk(root.FS(), ".", 0, files)
}

func walk(from fs.FS, dir string, depth int, files map[string][]byte) error {
	entries, err := fs.ReadDir(from, dir)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", dir, err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		name := path.Join(dir, e.Name())
		info, err := fs.Stat(from, name) // behind a link
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", name, err)
		}
		switch {
		case info.IsDir() && depth < maxDepth:
			err = walk(from, name, depth+1, files)
		case !info.Mode().IsRegular():
			err = fmt.Errorf("%s: not a file that belongs here", name)
		default:
			files[name], err = read(from, name)
		}
		if err != nil {
			return err
		}
		if len(files) > maxFiles {
			return fmt.Errorf("the directory holds more than %d files", maxFiles)
		}
	}
	return nil
}

func read(from fs.FS, name string) ([]byte, error) {
	f, err := from.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	body, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	if len(body) > maxFile {
		return nil, fmt.Errorf("%s: has more than %d KiB", name, maxFile>>10)
	}
	return body, nil
}

// soundPicture looks whether the content is what the name says, and small.
func soundPicture(name string, body []byte) error {
	if len(body) > maxPicture {
		return fmt.Errorf("has more than %d KiB", maxPicture>>10)
	}
	switch path.Ext(name) {
	case ".svg":
		return soundSVG(body)
	case ".png":
		cfg, err := png.DecodeConfig(bytes.NewReader(body))
		if err != nil {
			return errors.New("is no PNG picture")
		}
		if cfg.Width > maxPixels || cfg.Height > maxPixels {
			return fmt.Errorf("has %d × %d pixels, and %d of each side are enough", cfg.Width, cfg.Height, maxPixels)
		}
	case ".webp":
		if len(body) < 16 || string(body[:4]) != "RIFF" || string(body[8:12]) != "WEBP" {
			return errors.New("is no WebP picture")
		}
	case ".ico":
		if len(body) < 6 || !bytes.Equal(body[:4], []byte{0, 0, 1, 0}) {
			return errors.New("is no icon")
		}
	}
	return nil
}

// soundSVG refuses a drawing that holds more than one: it is served in a
// sandbox besides, but whoever put a script there will look for it.
func soundSVG(body []byte) error {
	dec := xml.NewDecoder(bytes.NewReader(body))
	root := ""
	for {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("is no well-formed SVG: %w", err)
		}
		switch t := t.(type) {
		case xml.Directive:
			if bytes.Contains(t, []byte("ENTITY")) {
				return errors.New("declares entities")
			}
		case xml.StartElement:
			if root == "" {
				root = t.Name.Local
			}
			if err := soundElement(t); err != nil {
				return err
			}
		}
	}
	if root != "svg" {
		return errors.New("is no SVG picture")
	}
	return nil
}

func soundElement(e xml.StartElement) error {
	switch strings.ToLower(e.Name.Local) {
	case "script", "foreignobject", "iframe":
		return fmt.Errorf("holds <%s>", e.Name.Local)
	}
	for _, a := range e.Attr {
		name := strings.ToLower(a.Name.Local)
		if strings.HasPrefix(name, "on") {
			return fmt.Errorf("holds a script in %s", a.Name.Local)
		}
		if name == "href" && !strings.HasPrefix(a.Value, "#") && !strings.HasPrefix(a.Value, "data:image/") {
			return fmt.Errorf("points to %.60q, which would not be shown", a.Value)
		}
	}
	return nil
}

// soundStyle refuses what the Content-Security-Policy would keep from working.
// Errors begin with the line.
func soundStyle(body []byte) error {
	for i, line := range bytes.Split(body, []byte("\n")) {
		for _, bad := range []string{"@import", "url(", "</"} {
			if bytes.Contains(bytes.ToLower(line), []byte(bad)) {
				return fmt.Errorf(":%d: %s would not work: the pages load nothing that they do not name themselves", i+1, bad)
			}
		}
	}
	return nil
}
