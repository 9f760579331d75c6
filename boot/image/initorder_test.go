package image

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInitialize puts some of a program's packages in front.
func TestInitialize(t *testing.T) {
	tasks := map[uint64]string{0x10: "fmt", 0x20: "net", 0x30: "a.org/program", 0x40: "nuos/kernel", 0x50: "nuos/kernel/net"}
	words := func(w ...uint64) (b []byte) {
		for _, x := range w {
			b = binary.LittleEndian.AppendUint64(b, x)
		}
		return b
	}
	first := map[string]bool{"fmt": true, "net": true, "nuos/kernel": true, "nuos/kernel/net": true, "not/linked": true}
	for _, c := range []struct {
		name     string
		at, size uint64
		data     []byte
		want     []byte // nil is an error
	}{
		{"as it should be", 0x1000, 40, words(0x10, 0x20, 0x30, 0x40, 0x50), words(0x10, 0x20, 0x40, 0x50, 0x30)},
		{"a part", 0x1008, 16, words(0x99, 0x30, 0x10, 0x99), words(0x99, 0x10, 0x30, 0x99)},
		{"nobody's task", 0x1000, 16, words(0x10, 0x60), nil},
		{"no symbol", 0, 0, words(0x10), nil},
		{"behind the file", 0x1008, 16, words(0x10, 0x20), nil},
		{"before the file", 0xff8, 16, words(0x10, 0x20), nil},
		{"half a word", 0x1000, 12, words(0x10, 0x20), nil},
	} {
		f := &linkedFile{start: 0x1000, data: c.data, inits: initOrder{at: c.at, size: c.size, tasks: tasks}}
		err := f.initialize(first)
		if (err == nil) != (c.want != nil) || c.want != nil && !bytes.Equal(f.data, c.want) {
			t.Errorf("%s: %x, %v; want %x", c.name, f.data, err, c.want)
		}
	}
}

// TestEarly boots a program with a dependency that uses the network in its init, as a program of this
// module and of another.
func TestEarly(t *testing.T) {
	const here, elsewhere = "nuos/boot/image/testdata/early", "example.org/early"
	dir := filepath.Join(t.TempDir(), "early")
	if err := os.CopyFS(dir, os.DirFS("testdata/early")); err != nil {
		t.Fatal(err)
	}
	main, err := os.ReadFile(filepath.Join(dir, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"main.go": strings.ReplaceAll(string(main), here, elsewhere),
		"go.mod":  "module " + elsewhere + "\n\ngo 1.26\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range []string{here, dir} {
		early, err := Build(t.Context(), Options{Package: program, Output: filepath.Join(t.TempDir(), "early.elf")})
		if err != nil {
			t.Fatal(err)
		}
		console, code := start(t, early.Path, "-M", "q35", "-m", "256", "-cpu", "max")
		if want := `early: "here already", <nil>`; code != 0 || !strings.Contains(console, want) {
			t.Errorf("%s: exit code %d, the console lacks %s:\n%s", program, code, want, console)
		}
	}
}
