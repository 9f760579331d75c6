package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// criuSizes are the bytes that a process has written before it is dumped.
var criuSizes = []int{1 << 20, 16 << 20}

// criu dumps a process with so much memory and restores it. The process stands still from
// the beginning of the one to the end of the other.
func criu(ctx context.Context, b *bench) (string, error) {
	if _, err := exec.LookPath("criu"); err != nil {
		return "", leaveOut("criu is not installed")
	}
	if out, err := exec.CommandContext(ctx, "criu", "check").CombinedOutput(); err != nil {
		return "", leaveOut("criu check says: %s", firstError(string(out)))
	}
	var text strings.Builder
	for _, size := range criuSizes {
		took, err := dumpAndRestore(ctx, b, size)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "BenchmarkPeerMove/peer=criu/bytes=%d\t1\t%d ns/op\t%d pause-ns/op\n", size, took, took)
	}
	return text.String(), nil
}

// firstError is the first line of an output that says so; the others follow from it.
func firstError(output string) string {
	for line := range strings.Lines(output) {
		if strings.Contains(line, "Error") && !strings.Contains(line, "exited, status") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(output)
}

func dumpAndRestore(ctx context.Context, b *bench, size int) (time.Duration, error) {
	folder, err := b.folder()
	if err != nil {
		return 0, err
	}
	// A process of its own session, without a terminal and without pipes to us.
	start := exec.CommandContext(ctx, "setsid", "--fork", "sh", "-c",
		fmt.Sprintf("exec %s hold %d %s </dev/null >/dev/null 2>&1", b.peers, size, folder))
	if out, err := start.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, out)
	}
	pid, err := awaitFile(ctx, filepath.Join(folder, "pid"))
	if err != nil {
		return 0, err
	}
	defer func() { exec.Command("kill", "-KILL", pid).Run() }()
	began := time.Now()
	for _, args := range [][]string{
		{"dump", "-t", pid, "-D", folder, "-o", "dump.log"},
		{"restore", "-d", "-D", folder, "-o", "restore.log"},
	} {
		if out, err := exec.CommandContext(ctx, "criu", args...).CombinedOutput(); err != nil {
			return 0, fmt.Errorf("criu %s: %w\n%s", args[0], err, bytes.TrimSpace(out))
		}
	}
	return time.Since(began), nil
}

// awaitFile returns what a process has written to a file that says it is ready.
func awaitFile(ctx context.Context, path string) (string, error) {
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(path)
		if err == nil || ctx.Err() != nil || time.Since(start) > bootTime {
			return strings.TrimSpace(string(b)), err
		}
	}
}
