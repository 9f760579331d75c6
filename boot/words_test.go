package boot

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// walk returns the words of a command line, each with its kind before it.
func walk(line string) (words []string, truncated bool) {
	var in Info
	in.setLine([]byte(line))
	for w := in.Words(); w.Next(); {
		if text := w.Text(); uintptr(unsafe.Pointer(unsafe.SliceData(text)))-uintptr(unsafe.Pointer(&in.line)) != uintptr(w.begin) ||
			text[:len(text)+1][len(text)] != 0 {
			panic("a word does not serve as a C string")
		}
		words = append(words, fmt.Sprintf("%c:%s", "pea"[w.Kind()], w.Text()))
	}
	return words, in.LineTruncated
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{"   \t ", nil},
		{"ip=dhcp rack=a", []string{"p:ip=dhcp", "p:rack=a"}},
		{"GOGC=50 ip=10.0.0.1/24", []string{"e:GOGC=50", "p:ip=10.0.0.1/24"}},
		{"a -- b --  -c GOGC=1", []string{"p:a", "a:b", "a:--", "a:-c", "a:GOGC=1"}},
		{`rack="my rack" "x y"=1`, []string{"p:rack=my rack", "p:x y=1"}},
		{`a="" ""`, []string{"p:a=", "p:"}},
		{`-- "a \"b\" c" "back\\slash" "two\\\\" c:\d\\e "c:\d"`, []string{`a:a "b" c`, `a:back\slash`, `a:two\\`, `a:c:\d\\e`, `a:c:\d`}},
		{`-- "ends in \`, []string{`a:ends in \`}},
		{`a="open quote b=1`, []string{"p:a=open quote b=1"}},
		{"/boot/kv.elf ip=dhcp", []string{"p:ip=dhcp"}},
		{"kv.elf", nil},
		{"./a=b.elf x=1", []string{"p:x=1"}},
		{"ip=10.0.0.1/24,10.0.0.2", []string{"p:ip=10.0.0.1/24,10.0.0.2"}},
		{"x=1 /not/first", []string{"p:x=1", "p:/not/first"}},
		{"a=1\x00b=2", []string{"p:a=1"}},
		{"line=1\r\nb=2\n", []string{"p:line=1", "p:b=2"}},
		{"-- ./first.arg", []string{"a:./first.arg"}},
	} {
		got, truncated := walk(c.line)
		if !slices.Equal(got, c.want) || truncated {
			t.Errorf("words of %q = %q, %v; want %q, false", c.line, got, truncated, c.want)
		}
	}
}

func TestLongCommandLine(t *testing.T) {
	fits := "a=" + strings.Repeat("x", MaxCommandLine-3)
	if got, truncated := walk(fits); len(got) != 1 || truncated {
		t.Errorf("a line that just fits: %d words, truncated %v; want 1, false", len(got), truncated)
	}
	got, truncated := walk("first=1 " + fits)
	if want := []string{"p:first=1"}; !slices.Equal(got, want) || !truncated {
		t.Errorf("a line that does not fit = %q, truncated %v; want %q, true", got, truncated, want)
	}
}

// TestReadLine reads lines that end, or do not, where memory does.
func TestReadLine(t *testing.T) {
	long := strings.Repeat("a=1 ", 3*MaxCommandLine)
	for _, c := range []struct {
		memory    string
		words     int
		truncated bool
	}{
		{"a=1 b=2\x00", 2, false},
		{"a=1 b=2\x00rubbish", 2, false},
		{"a=1 b=2 ", 2, true},
		{"a=1 b=2 x", 2, true}, // nobody knows how long x is
		{"", 0, true},
		{long, MaxCommandLine / 4, true},
		{strings.Repeat(" ", 3*MaxCommandLine) + "a=1\x00", 1, false},
		{strings.Repeat(" ", 4*MaxCommandLine-2) + "a=1\x00", 0, true},
	} {
		var in Info
		in.readLine(ram{0x1000, []byte(c.memory)}.memory, 0x1000)
		n := 0
		for w := in.Words(); w.Next(); {
			n++
		}
		if n != c.words || in.LineTruncated != c.truncated {
			t.Errorf("%.20q, %d bytes: %d words, truncated %v; want %d, %v", c.memory, len(c.memory), n, in.LineTruncated, c.words, c.truncated)
		}
	}
}

// FuzzWords checks against the obvious way of splitting a line that has no
// quotes, and in any case that every word is followed by its zero.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"a=1 B=2 -- c", `r="a b" c`, "x.elf a", "\x00", strings.Repeat("ab ", 1500), `"""`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var in Info
		in.setLine(line)
		var got [][]byte
		for w := in.Words(); w.Next(); {
			if in.line[w.end] != 0 || bytes.IndexByte(w.Text(), 0) >= 0 {
				t.Fatalf("word %q is not a C string", w.Text())
			}
			got = append(got, w.Text())
		}
		if in.LineTruncated || bytes.ContainsAny(line, "\"\v\f") || bytes.ContainsFunc(line, func(r rune) bool { return r >= 0x80 }) {
			return
		}
		line, _, _ = bytes.Cut(line, []byte{0})
		want := bytes.Fields(line)
		if len(want) > 0 && isPath(want[0]) {
			want = want[1:]
		}
		if i := slices.IndexFunc(want, func(w []byte) bool { return string(w) == "--" }); i >= 0 {
			want = slices.Delete(want, i, i+1)
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("words of %q = %q, want %q", line, got, want)
		}
	})
}
