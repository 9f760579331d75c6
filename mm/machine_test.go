//go:build !metal

package mm_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nuos/boot/image"
	"nuos/qemu"
)

// TestMetal runs testdata/memory on machines of several shapes. The time limit
// is for machines that hang.
func TestMetal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memory.elf")
	if _, err := image.Build(t.Context(), image.Options{Package: "./testdata/memory", Output: file}); err != nil {
		t.Fatal(err)
	}
	for _, o := range []qemu.Options{
		{MachineType: "q35", Memory: 96},
		{MachineType: "q35", Memory: 7000, CPUs: 2},
		{MachineType: "microvm", Memory: 96, CPUs: 2},
		{MachineType: "pc", Memory: 96, CPU: "default"},
	} {
		t.Run(fmt.Sprintf("%s-%dM", o.MachineType, o.Memory), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			o.Image, o.NoNIC, o.Accel = file, true, "tcg"
			console, code, err := qemu.Run(ctx, o)
			if err != nil || code != 0 || !strings.HasSuffix(strings.TrimSpace(console), "done") {
				t.Errorf("exit code %d, %v; console:\n%s", code, err, console)
			}
			t.Logf("%s", console)
		})
	}
}
