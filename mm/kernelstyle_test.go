package mm

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// kernelFiles run where there is no Go runtime to call.
var kernelFiles = []string{
	"addr.go", "areas.go", "back.go", "cpu_metal.go", "dma.go", "entry.go", "fault.go", "frames.go", "hooks.go",
	"memorymap.go", "space.go", "special.go", "spinlock.go", "start.go", "tables.go", "translate.go", "usage.go",
	"zero.go",
}

// TestKernelStyle asks the compiler for every allocation and write barrier in
// those files.
func TestKernelStyle(t *testing.T) {
	out, err := exec.Command("go", "build", "-tags=metal", "-gcflags=-d=wb=1 -m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	inKernel := map[string]bool{}
	for _, name := range kernelFiles {
		inKernel[name] = true
	}
	seen := false
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(filepath.Base(line), ":")
		seen = seen || inKernel[name]
		problem := strings.Contains(line, "escapes to heap") || strings.Contains(line, "moved to heap") ||
			strings.Contains(line, "write barrier")
		// A message of fatal is a constant, whose interface value is static.
		// SetHooks runs when no collection can.
		allowed := strings.Contains(line, `"mm: `) || strings.HasPrefix(filepath.Base(line), "hooks.go:")
		if inKernel[name] && problem && !allowed {
			t.Error(strings.TrimSpace(line))
		}
	}
	if !seen {
		t.Errorf("the compiler said nothing of these files:\n%s", out)
	}
}
