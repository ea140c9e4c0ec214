package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v3"
)

// Sources says where settings come from besides the defaults.
type Sources struct {
	File  string            // YAML; empty: PORTICO_CONFIG, or none
	Env   []string          // as os.Environ gives it
	Flags map[string]string // by key; only those the person set
	// Defaults replace the built-in ones: portico dev has its own.
	Defaults map[string]string
}

// envPrefix begins the name of every variable of Portico.
const envPrefix = "PORTICO_"

// Load reads the sources in their order. The error is one sentence per
// mistake, each with its place and what to do. Load checks every value by
// itself; Check looks at what does not go together.
func Load(src Sources) (*Config, error) {
	env, problems := readEnv(src.Env)
	file := src.File
	if file == "" {
		file = env.file
	}
	fromFile, more := readFile(file)
	problems = append(problems, more...)

	k := koanf.New(".")
	layers := []layer{
		{"the built-in defaults", builtin()},
		{"the built-in defaults", asAny(src.Defaults)},
		{file, fromFile},
		{"the environment", env.values},
		{"the flags", asAny(src.Flags)},
	}
	for _, l := range layers {
		_ = k.Load(confmap(l.values), nil) // a map cannot fail to load
	}
	var c Config
	for _, f := range fields() {
		v := reflect.ValueOf(&c).Elem().FieldByIndex(f.index)
		if err := decode(k.Get(f.key), v.Addr().Interface()); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", place(layers, f), err))
		}
	}
	problems = append(problems, c.checkValues(func(key string) string { return placeOf(layers, key) })...)
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return &c, nil
}

type layer struct {
	name   string
	values map[string]any
}

// confmap is the koanf provider of a flat map.
type confmap map[string]any

func (m confmap) Read() (map[string]any, error) { return m, nil }

func (confmap) ReadBytes() ([]byte, error) { return nil, errors.ErrUnsupported }

// field is one setting of Config.
type field struct {
	key, def, doc string
	secret        bool
	index         []int
	typ           reflect.Type
}

// env is the name of the variable of the setting.
func (f field) env() string { return envPrefix + strings.ToUpper(f.key) }

func fields() []field {
	t := reflect.TypeFor[Config]()
	var out []field
	for sf := range t.Fields() {
		if key := sf.Tag.Get("koanf"); key != "-" {
			out = append(out, field{
				key: key, def: sf.Tag.Get("default"), doc: sf.Tag.Get("doc"),
				secret: sf.Tag.Get("secret") != "", index: sf.Index, typ: sf.Type,
			})
		}
	}
	return out
}

func fieldByKey(key string) (field, bool) {
	all := fields()
	i := slices.IndexFunc(all, func(f field) bool { return f.key == key })
	if i < 0 {
		return field{}, false
	}
	return all[i], true
}

func builtin() map[string]any {
	m := map[string]any{}
	for _, f := range fields() {
		if f.def != "" {
			m[f.key] = f.def
		}
	}
	return m
}

// decode turns text or a YAML value into the type of a setting: lists may be
// written as one comma-separated text, durations as 15m.
func decode(value, into any) error {
	if value == nil {
		return nil
	}
	d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: into, WeaklyTypedInput: true,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			mapstructure.StringToTimeDurationHookFunc(),
			splitList,
		),
	})
	if err != nil {
		return err
	}
	if err := d.Decode(value); err != nil {
		return fmt.Errorf("cannot be read as %s", kindName(reflect.TypeOf(into).Elem()))
	}
	return nil
}

func splitList(from, to reflect.Type, value any) (any, error) {
	if from.Kind() != reflect.String || to.Kind() != reflect.Slice {
		return value, nil
	}
	var out []string
	for part := range strings.SplitSeq(value.(string), ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out, nil
}

func kindName(t reflect.Type) string {
	switch {
	case t.String() == "time.Duration":
		return "a duration such as 15m or 24h"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Slice:
		return "a list"
	default:
		return "text"
	}
}

func place(layers []layer, f field) string { return placeOf(layers, f.key) }

// placeOf names where the value that counts was written.
func placeOf(layers []layer, key string) string {
	for _, l := range slices.Backward(layers) {
		if _, ok := l.values[key]; !ok {
			continue
		}
		switch l.name {
		case "the environment":
			return envPrefix + strings.ToUpper(key)
		case "the flags":
			return "--" + strings.ReplaceAll(key, "_", "-")
		case "the built-in defaults":
			return key
		default:
			if n, ok := lines(l.name)[key]; ok {
				return fmt.Sprintf("%s:%d: %s", l.name, n, key)
			}
		}
	}
	return key
}

func asAny(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// readFile reads the YAML file: one mapping of known keys to plain values.
func readFile(path string) (map[string]any, []error) {
	if path == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, []error{fmt.Errorf("%s: cannot be read: %w; check --config or PORTICO_CONFIG", path, errors.Unwrap(err))}
	}
	return parseFile(path, raw)
}

func parseFile(path string, raw []byte) (map[string]any, []error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, []error{fmt.Errorf("%s: is not YAML: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))}
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, []error{fmt.Errorf("%s:%d: want a mapping such as \"issuer: https://id.example.com\"", path, root.Line)}
	}
	var problems []error
	out := map[string]any{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if _, ok := fieldByKey(key.Value); !ok {
			problems = append(problems, fmt.Errorf("%s:%d: unknown key %q%s", path, key.Line, key.Value, didYouMean(key.Value)))
			continue
		}
		if _, twice := out[key.Value]; twice {
			problems = append(problems, fmt.Errorf("%s:%d: key %q stands here a second time; keep one", path, key.Line, key.Value))
			continue
		}
		var v any
		if err := value.Decode(&v); err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %s: %w", path, value.Line, key.Value, err))
			continue
		}
		if _, nested := v.(map[string]any); nested {
			problems = append(problems, fmt.Errorf("%s:%d: %s takes a plain value, not a mapping", path, value.Line, key.Value))
			continue
		}
		out[key.Value] = v
	}
	return out, problems
}

// lines returns the line of each key of a file that has been read before.
func lines(path string) map[string]int {
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil
	}
	var doc yaml.Node
	if yaml.Unmarshal(raw, &doc) != nil || len(doc.Content) == 0 {
		return nil
	}
	out := map[string]int{}
	for i := 0; i+1 < len(doc.Content[0].Content); i += 2 {
		out[doc.Content[0].Content[i].Value] = doc.Content[0].Content[i].Line
	}
	return out
}
