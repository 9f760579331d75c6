package linux

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nuos/boot/image"
	"nuos/qemu"
)

// TestRack has two Linux guests be a rack: the hosted build of a program finds the other machine
// through a packet socket, over the switch.
func TestRack(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	tree, err := image.SourceTree(ctx)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "measure")
	if err := Build(ctx, tree, "nuos/images/measure", program); err != nil {
		t.Fatal(err)
	}
	args := []string{"nic=packet:eth0", "mem=128M", "measure=calls", "calls=^LocalCall/bytes=8$"}
	o, err := Guest(ctx, Program{Path: program, Args: args, Network: true}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o.Name, o.Dir, o.Machines, o.Memory = "guests", t.TempDir(), 2, 512
	r, err := qemu.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	said := ""
	for _, m := range r.Machines() {
		if code, err := m.Wait(ctx); code != 0 || err != nil {
			t.Errorf("machine %d: exit code %d, %v\n%s", m.Index(), code, err, m.Console())
		}
		said += m.Console()
	}
	if !strings.Contains(said, "BenchmarkLocalCall/bytes=8") {
		t.Errorf("nobody has measured:\n%s", said)
	}
}
