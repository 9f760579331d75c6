//go:build !metal

package net

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// handlerFiles have the code that runs in handler context.
var handlerFiles = map[string]bool{
	"./address.go": true, "./netlink.go": true, "./attention.go": true, "./batch.go": true, "./call.go": true, "./control.go": true, "./record.go": true, "./datagram.go": true, "./options.go": true,
	"./program.go": true, "./ring.go": true, "./socket.go": true, "./transfer.go": true,
}

// TestHandlerCode asks the compiler where metal code allocates or has write
// barriers: nowhere in handler context.
func TestHandlerCode(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "metal", "-gcflags=-d=wb=1 -m", ".")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	elsewhere := 0
	for _, m := range regexp.MustCompile(`(?m)^(\S+\.go):\d+:\d+: .*(write barrier|to heap).*$`).FindAllSubmatch(out, -1) {
		if !handlerFiles[string(m[1])] {
			elsewhere++
			continue
		}
		t.Errorf("%s", m[0])
	}
	if elsewhere == 0 {
		t.Errorf("the compiler reports nothing, not even for the pump:\n%s", out)
	}
}
