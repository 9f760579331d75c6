//go:build !metal

package port_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tests of whole machines run testdata/echo, on QEMU and as a process, and
// hold the other end of its cable: a unix stream on which a frame is its
// length in four bytes, the highest first, and then its bytes.

// workDir is for files of all tests: t.TempDir has the name of the test in it,
// which is too long for a socket's path and may have a comma, which QEMU takes
// for its own.
var workDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nuos-port-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	workDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var (
	machineMAC = []byte{0x52, 0x54, 0, 0, 0, 1}
	peerMAC    = []byte{0x52, 0x54, 0, 0, 0, 2}
)

// machine is a running echo and the other end of its cable.
type machine struct {
	t       testing.TB
	cable   net.Conn
	in      *bufio.Reader
	console bytes.Buffer // complete when ended is closed
	ready   chan bool    // true when it says so; closed when it ends
	ended   chan struct{}
	err     error // of the process, when ended is closed
}

// start starts a machine. One that runs for two minutes hangs, and is killed.
func start(t testing.TB, name string, args ...string) *machine {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	process := exec.CommandContext(ctx, name, args...)
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	process.Stderr = process.Stdout
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, ready: make(chan bool, 1), ended: make(chan struct{})}
	go func() {
		defer close(m.ended)
		for s := bufio.NewScanner(out); s.Scan(); {
			fmt.Fprintln(&m.console, s.Text())
			if strings.HasSuffix(s.Text(), "echo: ready") {
				m.ready <- true
			}
		}
		m.err = process.Wait()
		close(m.ready)
	}()
	t.Cleanup(func() {
		cancel()
		<-m.ended
		if t.Failed() {
			t.Logf("console:\n%s", m.console.Bytes())
		}
	})
	return m
}

// plug gives m the other end of its cable and waits until it is ready.
func (m *machine) plug(cable net.Conn) {
	m.t.Helper()
	m.cable, m.in = cable, bufio.NewReaderSize(cable, 1<<20)
	m.t.Cleanup(func() { cable.Close() })
	if !<-m.ready {
		m.t.Fatalf("the machine ended with %v before it was ready", m.err)
	}
}

// exitStatus waits until the process has ended.
func (m *machine) exitStatus() int {
	m.t.Helper()
	<-m.ended
	var exit *exec.ExitError
	if m.err == nil {
		return 0
	}
	if !errors.As(m.err, &exit) {
		m.t.Fatal(m.err)
	}
	return exit.ExitCode()
}

// frame is a test frame of the given kind and length for the machine.
func frame(kind byte, size int, numbers ...uint32) []byte {
	f := make([]byte, 0, max(size, 32))
	f = append(append(append(f, machineMAC...), peerMAC...), 0x88, 0xb5, kind, 0)
	for _, n := range numbers {
		f = binary.BigEndian.AppendUint32(f, n)
	}
	for i := len(f); i < size; i++ {
		f = append(f, byte(i*13))
	}
	return f[:max(size, 32)]
}

func (m *machine) send(frames ...[]byte) {
	m.t.Helper()
	var b []byte
	for _, f := range frames {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
	}
	if _, err := m.cable.Write(b); err != nil {
		m.t.Fatal(err)
	}
}

// receive returns the machine's next frame.
func (m *machine) receive() []byte {
	m.t.Helper()
	m.cable.SetReadDeadline(time.Now().Add(30 * time.Second)) // for a machine that hangs
	var length [4]byte
	if _, err := io.ReadFull(m.in, length[:]); err != nil {
		m.t.Fatal(err)
	}
	f := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(m.in, f); err != nil {
		m.t.Fatal(err)
	}
	return f
}

// echo sends a frame and checks that it comes back.
func (m *machine) echo(size int) {
	m.t.Helper()
	f := frame('e', size)
	m.send(f)
	got := m.receive()
	want := slices.Concat(peerMAC, machineMAC, f[12:])
	if !bytes.Equal(got, want) {
		m.t.Fatalf("a frame of %d bytes came back with %d, or changed", len(want), len(got))
	}
}

// counters are the machine's.
type counters struct{ Sunk, Rx, Tx, Errors, Kicks, Events uint64 }

func (m *machine) counters() (c counters) {
	m.t.Helper()
	m.send(frame('q', 64))
	f := m.receive()
	if len(f) < 16+48 {
		m.t.Fatalf("counters of %d bytes", len(f))
	}
	for i, p := range []*uint64{&c.Sunk, &c.Rx, &c.Tx, &c.Errors, &c.Kicks, &c.Events} {
		*p = binary.BigEndian.Uint64(f[16+8*i:])
	}
	return c
}

// exercise sends frames of all lengths to the machine and back, one at a time
// and in bursts, and ends it.
func (m *machine) exercise() {
	t := m.t
	for _, size := range []int{32, 60, 61, 1514, 2036, 2037, 4084, 4085, 8180, 8181, 9014} {
		m.echo(size)
	}
	for size := 32; size <= 9014; size += 97 {
		m.echo(size)
	}
	// Frames that are too long or not for anybody do no harm.
	m.send(make([]byte, 9015), make([]byte, 20), make([]byte, 60000))
	m.echo(60)

	// Trains of frames of all lengths, each counted before the next leaves.
	for train := range 8 {
		frames := make([][]byte, 100)
		for i := range frames {
			frames[i] = frame('s', 32+(train*100+i)*1237%8983)
		}
		m.send(frames...)
		if got, want := m.counters().Sunk, uint64(100*(train+1)); got != want {
			t.Fatalf("%d frames have arrived; want %d", got, want)
		}
	}

	// And as many the other way, in bursts that a switch between us need not
	// drop any of.
	const bursts, burst = 30, 100
	for range bursts {
		m.send(frame('b', 64, burst, 9014))
		for i := range uint32(burst) {
			f := m.receive()
			if len(f) != 9014 || binary.BigEndian.Uint32(f[16:]) != i {
				t.Fatalf("frame of %d bytes, number %d; want 9014, %d", len(f), binary.BigEndian.Uint32(f[16:]), i)
			}
			for k, b := range f[32:] {
				if b != byte((k+100)*7) {
					t.Fatalf("frame %d: byte %d is %#x", i, 32+k, b)
				}
			}
		}
	}
	c := m.counters()
	if c.Tx < bursts*burst+100 || c.Events == 0 || c.Errors > 3 {
		t.Errorf("counters %+v; want at least %d sent, some events, at most 3 errors", c, bursts*burst+100)
	}
	m.send(frame('x', 64))
	<-m.ended
	if !bytes.Contains(m.console.Bytes(), []byte("echo: closed, device memory 0\n")) {
		t.Error("the machine ended without giving its memory back")
	}
}
