package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVet runs the command over packages that are wrong and over the project's
// own images, which are not, and go vet with the command as its tool.
func TestVet(t *testing.T) {
	nuos := filepath.Join(t.TempDir(), "nuos")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", nuos, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const wrong, clean = "nuos/proclet/vet/testdata/keep", "nuos/images/..."
	tests := []struct {
		name    string
		command []string
		want    string // part of the output; "" if there is to be none
	}{
		{"wrong", []string{nuos, "vet", wrong}, "keeps a *proclet.Thread"},
		{"clean", []string{nuos, "vet", clean}, ""},
		{"as tool", []string{"go", "vet", "-vettool=" + nuos, wrong}, "keeps a *proclet.Thread"},
		{"one analyzer", []string{nuos, "vet", "-keep", "nuos/proclet/vet/testdata/state"}, ""},
		{"as tool with flags", []string{"go", "vet", "-vettool=" + nuos, "-json", "-keep", wrong}, `"keep": [`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), test.command[0], test.command[1:]...).CombinedOutput()
			if test.want == "" && (err != nil || len(out) != 0) {
				t.Errorf("%v\n%s\nwant no diagnostics", err, out)
			}
			if !strings.Contains(string(out), test.want) {
				t.Errorf("%v\n%s\nwant %q", err, out, test.want)
			}
			if failed := err != nil; test.name == "wrong" && !failed {
				t.Error("the exit code is 0")
			}
		})
	}
}
