package boot_test

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// lateFiles have code that runs when the Go runtime is up. All other files of
// this package and of acpi run before.
var lateFiles = map[string]bool{"./params.go": true, "./host.go": true, "./cmdline_metal.go": true, "./announce_metal.go": true, "./quote.go": true}

// TestEarlyCode asks the compiler where metal code allocates or has write
// barriers: nowhere before the Go runtime is up.
func TestEarlyCode(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "metal", "-gcflags=-d=wb=1 -m", ".", "./acpi")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	late := 0
	for _, m := range regexp.MustCompile(`(?m)^(\S+\.go):\d+:\d+: .*(write barrier|to heap).*$`).FindAllSubmatch(out, -1) {
		if lateFiles[string(m[1])] {
			late++
			continue
		}
		t.Errorf("%s", m[0])
	}
	if late == 0 {
		t.Errorf("the compiler reports nothing, not even for %v:\n%s", lateFiles, out)
	}
}
