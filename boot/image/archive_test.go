package image

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/u-root/u-root/pkg/cpio"
)

func TestWriteArchive(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	files := map[string]string{"config": "rack=a\n", "www/index.html": "<p>hello", "empty": ""}
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	first, second := filepath.Join(out, "1.cpio"), filepath.Join(out, "2.cpio")
	if err := WriteArchive(first, Tree{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	// Times do not belong to the contents.
	if err := os.Chtimes(filepath.Join(dir, "config"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := WriteArchive(second, Tree{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(first)
	b, _ := os.ReadFile(second)
	if len(a) == 0 || !bytes.Equal(a, b) {
		t.Errorf("archives of the same files have %d and %d bytes and differ", len(a), len(b))
	}
	got := map[string]string{}
	records, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(a)))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Mode&0o170000 != 0o100000 {
			continue
		}
		text, err := io.ReadAll(io.NewSectionReader(r, 0, int64(r.FileSize)))
		if err != nil {
			t.Fatal(err)
		}
		got[r.Name] = string(text)
	}
	if len(got) != len(files) {
		t.Errorf("read back %q, want %q", got, files)
	}
	for name, want := range files {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
	if err := WriteArchive(first, Tree{Dir: filepath.Join(dir, "missing")}); err == nil {
		t.Error("a missing folder was packed")
	}
}
