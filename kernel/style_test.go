package kernel_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// goroutineCode are the functions of kernel that run in goroutines, and those
// that run before there is a garbage collector, by file. They may allocate and
// store pointers; all other code may not.
var goroutineCode = map[string][]string{
	"params.go":        {"init", ""}, // "" is the initialisation of variables
	"devices.go":       {"AllocMSI", "WatchWord"},
	"sockets_metal.go": {"SetSockets"},
	"boot.go":          {"startMemory"}, // before the Go runtime starts
	"filesystem.go":    {"startFiles"},  // likewise
}

// TestHandlerCode has the compiler list every write barrier and every heap
// allocation in kernel, as it is built for a machine. Handlers run with a g and
// on stacks that the garbage collector knows nothing of, so there may be none
// in them.
func TestHandlerCode(t *testing.T) {
	cmd := exec.Command("go", "build", "-tags", "metal", "-gcflags=nuos/kernel=-d=wb=1 -m=1", "-o", os.DevNull, ".")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	position := regexp.MustCompile(`^(?:\./|kernel/)?([a-z_]+\.go):(\d+):\d+: (.*)$`)
	known := 0
	for line := range strings.Lines(string(out)) {
		m := position.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		what := m[3]
		if what != "write barrier" && !strings.HasSuffix(what, "escapes to heap") && !strings.HasPrefix(what, "moved to heap") {
			continue
		}
		at, _ := strconv.Atoi(m[2])
		if f := functionAt(t, m[1], at); !slices.Contains(goroutineCode[m[1]], f) {
			t.Errorf("%s in %s, which runs in handlers", strings.TrimSpace(line), f)
		} else {
			known++
		}
	}
	// What is allowed is found too, or the search finds nothing at all.
	if known == 0 {
		t.Errorf("the compiler reported nothing about %v", goroutineCode)
	}
}

// functionAt returns the name of the top-level function around a line, "" if
// there is none.
func functionAt(t *testing.T, file string, at int) string {
	src, err := os.ReadFile(filepath.Join(".", file))
	if err != nil {
		t.Fatal(err)
	}
	name := ""
	for i, line := range strings.Split(string(src), "\n") {
		if i+1 > at {
			break
		}
		switch m := functionLine.FindStringSubmatch(line); {
		case m != nil:
			name = m[1]
		case line == "}" && i+1 < at:
			name = ""
		}
	}
	return name
}

var functionLine = regexp.MustCompile(`^func (?:\([^)]*\) )?(\w+)\(`)
