package kernel_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nuos/boot/image"
)

// TestTranscript makes system calls on Linux, on which this test runs, and in an
// image, and compares what they answer.
func TestTranscript(t *testing.T) {
	const pkg, end = "nuos/kernel/internal/transcript", "end of transcript"
	work := t.TempDir()
	hosted, metal := filepath.Join(work, "hosted"), filepath.Join(work, "metal.elf")
	build := exec.Command("go", "build", "-o", hosted, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if _, err := image.Build(t.Context(), image.Options{Package: pkg, Output: metal}); err != nil {
		t.Fatal(err)
	}
	// The files of an image lie in memory, so those on Linux do too.
	folder, err := os.MkdirTemp("/dev/shm", "nuos-transcript-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, hosted, folder).Output()
	if err != nil {
		t.Fatalf("on Linux: %v\n%s", err, out)
	}
	want := strings.Split(string(out), "\n")

	console, code := guest{image: metal, line: "-- /tmp"}.run(t)
	_, text, _ := strings.Cut(console, "\n") // how it was booted
	got := strings.Split(text, "\n")
	if code != 0 || !slices.Contains(got, end) {
		t.Fatalf("exit code %d, console:\n%s", code, console)
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s\n\tLinux: %s", got[i], want[i])
		}
	}
	if len(got) != len(want) || len(want) < 1000 {
		t.Errorf("%d lines, %d on Linux", len(got), len(want))
	}
}
