package intake

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
)

// Bounds of an export. Its length has none: it is read as it comes.
const (
	maxRecord = 1 << 20 // bytes of one person
	maxDepth  = 200     // of what is passed over
)

// A shape says how an export is laid out: an array of people, or one object
// per line, or, where object is not empty, an object that holds the array
// under that name.
type shape struct {
	object string
	read   func(raw []byte) Record
}

var errTooLong = fmt.Errorf("one record has more than %d bytes", maxRecord)

// records looks at the first sign of the file and reads what it announces.
func records(r io.Reader, s shape) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		in := bufio.NewReaderSize(r, maxRecord)
		if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
			_, _ = in.Discard(3) // a byte order mark
		}
		first, err := firstSign(in)
		switch {
		case errors.Is(err, io.EOF):
			yield(Record{}, errors.New("the file is empty"))
		case err != nil:
			yield(Record{}, err)
		case first == '[' || first == '{' && s.object != "":
			s.values(in, yield)
		case first == '{':
			s.lines(in, yield)
		default:
			yield(Record{}, errors.New("the file is no JSON: it begins with neither { nor ["))
		}
	}
}

func firstSign(in *bufio.Reader) (byte, error) {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		if b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return b, in.UnreadByte()
		}
	}
}

// lines reads one object from each line. A line that is too long or no JSON
// is refused, and the next one is read.
func (s shape) lines(in *bufio.Reader, yield func(Record, error) bool) {
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		raw := bytes.TrimSpace(line)
		var rec Record
		switch {
		case long:
			rec.Refused = errTooLong
		case len(raw) > 0:
			rec = s.one(raw)
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		rec.At = "line " + strconv.Itoa(n)
		if (long || len(raw) > 0) && !yield(rec, nil) {
			return
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			yield(Record{}, fmt.Errorf("line %d: %w", n, err))
			return
		}
	}
}

// one reads a person and never fails: what is wrong stands in the record.
func (s shape) one(raw []byte) Record {
	if len(raw) > maxRecord {
		return Record{Refused: errTooLong}
	}
	if raw[0] != '{' || !json.Valid(raw) {
		return Record{Refused: errors.New("this is no JSON object")}
	}
	return s.read(raw)
}

// meter fails a reader that goes on for too long without anything coming of
// it, so that one endless value does not fill the memory.
type meter struct {
	r    io.Reader
	left int
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errTooLong
	}
	n, err := m.r.Read(p[:min(len(p), m.left)])
	m.left -= n
	return n, err
}

func (m *meter) again() { m.left = 2 * maxRecord }

// values reads an array of people, or finds it in an object.
func (s shape) values(in io.Reader, yield func(Record, error) bool) {
	m := &meter{r: in}
	m.again()
	dec := json.NewDecoder(m)
	fail := func(err error) {
		yield(Record{}, fmt.Errorf("the file cannot be read on at byte %d: %w", dec.InputOffset(), unexpected(err)))
	}
	open, err := dec.Token()
	if err != nil {
		fail(err)
		return
	}
	if open == json.Delim('[') {
		if _, err := s.array(dec, m, yield); err != nil {
			fail(err)
		}
		return
	}
	found := false
	for dec.More() {
		m.again()
		key, err := dec.Token()
		if err == nil && key == s.object && !found {
			found = true
			if open, err = dec.Token(); err == nil && open != json.Delim('[') {
				err = fmt.Errorf("%q is no array", s.object)
			}
			if err == nil {
				var more bool
				if more, err = s.array(dec, m, yield); err == nil && !more {
					return
				}
			}
		} else if err == nil {
			err = skip(dec, m)
		}
		if err != nil {
			fail(err)
			return
		}
	}
	if _, err := dec.Token(); err != nil {
		fail(err)
	} else if !found {
		yield(Record{}, fmt.Errorf("the file has no %q", s.object))
	}
}

// array yields the people of an array whose bracket was read. more is false
// when nobody wants the rest.
func (s shape) array(dec *json.Decoder, m *meter, yield func(Record, error) bool) (more bool, err error) {
	for n := 1; dec.More(); n++ {
		m.again()
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return true, err
		}
		rec := s.one(raw)
		rec.At = "user " + strconv.Itoa(n)
		if !yield(rec, nil) {
			return false, nil
		}
	}
	m.again()
	_, err = dec.Token()
	return true, err
}

// skip passes over one value.
func skip(dec *json.Decoder, m *meter) error {
	for depth := 0; ; {
		m.again()
		t, err := dec.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('['), json.Delim('{'):
			if depth++; depth > maxDepth {
				return fmt.Errorf("more than %d values stand inside each other", maxDepth)
			}
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
