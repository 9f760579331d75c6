package main

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"nuos/boot/image"
	"nuos/qemu"
)

// TestChecksum: the checksum depends on where the walk begins and on nothing else.
func TestChecksum(t *testing.T) {
	seen := map[uint64]uint64{}
	for seed := range uint64(100) {
		var first, again walk
		if a, b := first.visit(nil, nil, seed, walkHeight), again.visit(nil, nil, seed, walkHeight); a != b || first != again {
			t.Fatalf("two walks from %d: %x and %x, %+v and %+v", seed, a, b, first, again)
		}
		if other, twice := seen[first.sum]; twice {
			t.Errorf("walks from %d and %d have the same checksum", seed, other)
		}
		seen[first.sum] = seed
		if first.deep != walkHeight {
			t.Errorf("the walk is %d frames deep, want %d", first.deep, walkHeight)
		}
	}
}

// TestWander lets the thread walk round racks of three machines.
func TestWander(t *testing.T) {
	tests := []struct {
		name    string
		options qemu.Options
		hops    int
	}{
		{"hosted", qemu.Options{Hosted: true}, 5000},
		{"virtual", qemu.Options{}, 150},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			o := test.options
			o.Name, o.Dir, o.Machines = "wanderertest", t.TempDir(), 3
			o.Params = []string{fmt.Sprintf("hops=%d", test.hops)}
			if o.Hosted {
				o.Package = "."
			} else {
				r, err := image.Build(ctx, image.Options{Package: ".", Output: filepath.Join(t.TempDir(), "wanderer.elf")})
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
			// The machine where it began says how it ended; on all of them it was.
			passed := regexp.MustCompile(fmt.Sprintf(`(?m)^PASS %d hops, .*$`, test.hops))
			said := ""
			for _, m := range r.Machines() {
				if code, err := m.Wait(ctx); code != 0 || err != nil {
					t.Errorf("machine %d: exit code %d, %v", m.Index(), code, err)
				}
				said += passed.FindString(m.Console())
				if !regexp.MustCompile(`(?m)^machine \d+: hop \d+, walk \d+, \d+ frames deep`).MatchString(m.Console()) {
					t.Errorf("it was never on machine %d", m.Index())
				}
			}
			if said == "" {
				t.Errorf("nobody says %v", passed)
			}
			t.Log(said)
			if t.Failed() {
				for _, m := range r.Machines() {
					console := m.Console()
					t.Logf("machine %d:\n%s", m.Index(), console[max(0, len(console)-3000):])
				}
			}
		})
	}
}
