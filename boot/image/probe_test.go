package image

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nuos/boot"
)

// TestProbe boots a program that says what reached it of arguments, environment,
// boot archive and zeroed data, and ends with various statuses.
func TestProbe(t *testing.T) {
	files := t.TempDir()
	if err := os.MkdirAll(filepath.Join(files, "etc"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(files, "etc", "greeting"), []byte("hello, archive\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	probe, err := Build(t.Context(), Options{
		Package: "./testdata/probe",
		Output:  filepath.Join(t.TempDir(), "probe.elf"),
		Archive: files,
	})
	if err != nil {
		t.Fatal(err)
	}
	if probe.Span > 16<<20 {
		t.Errorf("the loader provides %d bytes, want the large variable left out", probe.Span)
	}
	for _, status := range []int{0, 1, 7, 119, 200} {
		console, code := start(t, probe.Path, "-M", "q35", "-m", "256", "-cpu", "max", "-initrd", probe.Archive,
			"-append", fmt.Sprintf(`idle=halt STATUS=%d GREETING="a b" -- -x "y z" /etc/greeting /etc/missing`, status))
		if want := boot.ExitCode(status); code != want {
			t.Errorf("exit code %d for status %d, want %d", code, status, want)
		}
		for _, want := range []string{
			`arguments ["-x" "y z" "/etc/greeting" "/etc/missing"]`,
			"zeroed data: 0 bytes of 33554432 are not zero",
			`environment "GREETING=a b"`,
			`file /etc/greeting "hello, archive\n" <nil>`,
			`file /etc/missing "" open /etc/missing: no such file or directory`,
		} {
			if !strings.Contains(console, want) {
				t.Errorf("the console lacks %s:\n%s", want, console)
			}
		}
	}
}
