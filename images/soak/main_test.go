package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"nuos/boot/image"
	"nuos/qemu"
)

var long = flag.Duration("long", 0, "how long TestSoak has a machine work")

// checks have the collector work all the time and check itself.
var checks = []string{"GOGC=5", "GODEBUG=gccheckmark=1,clobberfree=1"}

// TestHosted has the program work as a process for a moment.
func TestHosted(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "soak")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(bin, "-for", "1s")
	cmd.Env = append(os.Environ(), checks...)
	out, err := cmd.CombinedOutput()
	if err != nil || !passed.Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
}

var passed = regexp.MustCompile(`(?m)^soak: passed\r?$`)

// TestSoak has a machine with four processors work, with the collector's own checks on,
// while somebody outside talks to it.
func TestSoak(t *testing.T) {
	if *long == 0 {
		t.Skip("how long is not said by -long; make soak does")
	}
	file := filepath.Join(t.TempDir(), "soak.elf")
	if _, err := image.Build(t.Context(), image.Options{Package: ".", Output: file}); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "soak") // a short name, as sockets need
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	rack, err := qemu.Start(t.Context(), qemu.Options{
		Name: "soak", Dir: dir, Image: file, CPUs: 4,
		Params:  append(slices.Clone(checks), "--", "-for", long.String()),
		Forward: []qemu.Forward{{Listen: "127.0.0.1:0", Port: 7}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Stop()
	m := rack.Machine(0)
	ctx, cancel := context.WithCancel(t.Context())
	var echoes atomic.Int64
	talked := make(chan error, 1)
	go func() { talked <- talk(ctx, rack.Listen()[0], &echoes) }()
	code, err := m.Wait(t.Context())
	cancel()
	if err != nil || code != 0 || !passed.MatchString(m.Console()) {
		t.Errorf("exit code %d, %v", code, err)
	}
	if err := <-talked; err != nil {
		t.Error(err)
	}
	t.Logf("%d echoes; console:\n%s", echoes.Load(), m.Console())
}

// talk sends streams to an address, one after the other, and wants them back, until ctx
// ends. A connection that fails is tried again: the machine may not be up yet or not any
// more, and what forwards its port gives up on one that does not accept within a second.
func talk(ctx context.Context, addr string, echoes *atomic.Int64) error {
	for i := 0; ctx.Err() == nil; i++ {
		err := echo(ctx, addr, bytes.Repeat([]byte{byte(i), byte(i >> 8), 7}, 1+i%5000))
		switch {
		case err == nil:
			echoes.Add(1)
		case errors.Is(err, errAltered):
			return fmt.Errorf("echo %d: %w", i, err)
		default:
			time.Sleep(10 * time.Millisecond)
		}
	}
	if echoes.Load() == 0 {
		return errors.New("nobody has answered from outside")
	}
	return nil
}

var errAltered = errors.New("the bytes that came back are others")

func echo(ctx context.Context, addr string, sent []byte) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(sent); err != nil {
		return err
	}
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if !bytes.Equal(got, sent) {
		return errAltered
	}
	return nil
}
