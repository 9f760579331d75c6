package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMachinesOf(t *testing.T) {
	tests := []struct {
		source string
		want   int
	}{
		{"// Command x.\npackage main\n\n//nuos:machines 3\n", 3},
		{"//nuos:machines 12 \npackage main\n", 12},
		{"package main\n", 1},
		{"package main // not //nuos:machines 3\n", 1},
		{"//nuos:machines many\npackage main\n", 1},
	}
	for _, test := range tests {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(test.source), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := machinesOf(dir); got != test.want {
			t.Errorf("machinesOf(%q) = %d, want %d", test.source, got, test.want)
		}
	}
	if got := machinesOf("no such folder"); got != 1 {
		t.Errorf("machinesOf no folder = %d, want 1", got)
	}
}
