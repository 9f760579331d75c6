package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSimulate simulates small racks, as people do.
func TestSimulate(t *testing.T) {
	load := filepath.Join(t.TempDir(), "load.csv")
	if err := os.WriteFile(load, []byte("seconds,web,batch\n0,60,10\n2,10,60\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args, want, err string
	}{
		{"--machines 4 --proclets 200 --for 5s --seed 1", "4 machines of 32 processors and 16 GiB, 200 proclets, seed 1: 5s", ""},
		{"--machines 3 --for 5s --seed 2 --load " + load, "nothing moves", ""},
		{"--machines 4 --proclets 200 --for 2s --seed 3 --seeds 5 --faults", "5 seeds from 3, 2s each: everything held", ""},
		{"--machines 1", "", "want at least two"},
		{"--load " + load + ".not", "", "no such file"},
	} {
		var out bytes.Buffer
		root := command()
		root.SetOut(&out)
		root.SetArgs(append([]string{"simulate"}, strings.Fields(c.args)...))
		err := root.ExecuteContext(t.Context())
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("simulate %s: %v; want %q", c.args, err, c.err)
			}
			continue
		}
		if err != nil || !strings.Contains(out.String(), c.want) {
			t.Errorf("simulate %s: %v\n%s\nwant %q", c.args, err, out.String(), c.want)
		}
	}
}
