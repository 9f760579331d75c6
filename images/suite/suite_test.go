package main

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"nuos/boot/image"
	"nuos/qemu"
)

// TestSuite makes all checks on racks of three machines, processes and virtual
// ones, with proclets that stay and with proclets that move all the time.
func TestSuite(t *testing.T) {
	tests := []struct {
		name    string
		options qemu.Options
		params  []string
	}{
		{"hosted", qemu.Options{Hosted: true}, []string{"effort=50"}},
		{"hosted, moving", qemu.Options{Hosted: true}, []string{"effort=20", "moving=0s"}},
		{"virtual", qemu.Options{}, []string{"effort=3"}},
		{"virtual, moving", qemu.Options{}, []string{"effort=1", "moving=1ms"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			o := test.options
			o.Name, o.Dir, o.Machines, o.Params = "suitetest", t.TempDir(), 3, test.params
			if o.Hosted {
				o.Package = "."
			} else {
				r, err := image.Build(ctx, image.Options{Package: ".", Output: filepath.Join(t.TempDir(), "suite.elf")})
				if err != nil {
					t.Fatal(err)
				}
				o.Image = r.Path
			}
			r, err := qemu.Start(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Stop()
			said, moves := "", 0
			for _, m := range r.Machines() {
				if code, err := m.Wait(ctx); code != 0 || err != nil {
					t.Errorf("machine %d: exit code %d, %v", m.Index(), code, err)
				}
				said += result.FindString(m.Console())
			}
			checked := 0
			if _, err := fmt.Sscanf(said, "PASS %d checks, %d moves", &checked, &moves); err != nil || checked != len(checks) {
				t.Errorf("the result is %q, want that all %d checks passed", said, len(checks))
			}
			if o.Params[len(o.Params)-1] != o.Params[0] && moves < 100 {
				t.Errorf("there were %d moves", moves)
			}
			for _, m := range r.Machines() {
				console := m.Console()
				for _, line := range strings.Split(console, "\n") {
					if line, found := strings.CutPrefix(line, "FAIL "); found {
						t.Error(line)
					}
				}
				if t.Failed() {
					t.Logf("machine %d:\n%s", m.Index(), console[max(0, len(console)-3000):])
				}
			}
			t.Log(said)
		})
	}
}

// result is the last line of the machine that makes the checks.
var result = regexp.MustCompile(`(?m)^PASS \d+ checks, .*$`)
