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
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nuos/boot/image"
)

// These tests boot testdata/echo on QEMU, whose network cable (-netdev stream)
// is a unix socket of the test: a frame is its length in four bytes, the
// highest first, and then its bytes.

// echoImage is built once.
var echoImage = sync.OnceValues(func() (string, error) {
	r, err := image.Build(context.Background(), image.Options{Package: "./testdata/echo", Output: filepath.Join(imageDir, "echo.elf")})
	return r.Path, err
})

var imageDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nuos-port-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	imageDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var (
	machineMAC = []byte{0x52, 0x54, 0, 0, 0, 1}
	peerMAC    = []byte{0x52, 0x54, 0, 0, 0, 2}
)

// machine is a booted echo and the other end of its cable.
type machine struct {
	t       testing.TB
	cable   *net.UnixConn
	in      *bufio.Reader
	console bytes.Buffer
	ended   chan struct{}
	err     error
}

// start starts QEMU. The channel gets true when the machine says that it is
// ready, and is closed when it ends.
func start(t testing.TB, args []string, params string) (*machine, <-chan bool) {
	t.Helper()
	file, err := echoImage()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // for a machine that hangs
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", append(args, "-accel", "tcg,thread=multi", "-m", "128",
		"-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", file, "-append", params)...)
	out, err := qemu.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	qemu.Stderr = qemu.Stdout
	if err := qemu.Start(); err != nil {
		t.Fatalf("%v; Debian has it in the package qemu-system-x86", err)
	}
	m := &machine{t: t, ended: make(chan struct{})}
	ready := make(chan bool, 1)
	go func() {
		defer close(m.ended)
		for s := bufio.NewScanner(out); s.Scan(); {
			fmt.Fprintln(&m.console, s.Text())
			if strings.HasSuffix(s.Text(), "echo: ready") {
				ready <- true
			}
		}
		m.err = qemu.Wait()
		close(ready)
	}()
	t.Cleanup(func() {
		cancel()
		<-m.ended
		if t.Failed() {
			t.Logf("console:\n%s", m.console.Bytes())
		}
	})
	return m, ready
}

// exitCode is how the machine ended, as QEMU reports what it wrote to the
// debug-exit port.
func (m *machine) exitCode() int {
	m.t.Helper()
	<-m.ended
	var exit *exec.ExitError
	if !errors.As(m.err, &exit) || exit.ExitCode()&1 == 0 {
		m.t.Fatalf("QEMU ended with %v", m.err)
	}
	return exit.ExitCode() >> 1
}

// boot starts a machine with a NIC, which args may have described, and returns
// when it is ready.
func boot(t testing.TB, args string, params string) *machine {
	t.Helper()
	// Not in t.TempDir, whose name has the test's, of which QEMU takes a
	// comma for its own and a socket's path is too long.
	dir, err := os.MkdirTemp(imageDir, "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "cable")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	words := append(strings.Fields(args), "-netdev", "stream,id=n,server=off,addr.type=unix,addr.path="+path)
	if !strings.Contains(args, "netdev=n") {
		words = append(words, "-device", "virtio-net-pci,netdev=n,mac=52:54:00:00:00:01,host_mtu=9000,mrg_rxbuf=on,romfile=")
	}
	m, ready := start(t, words, params)
	l.SetDeadline(time.Now().Add(time.Minute))
	if m.cable, err = l.AcceptUnix(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.cable.Close() })
	m.in = bufio.NewReaderSize(m.cable, 1<<20)
	if !<-ready {
		t.Fatalf("the machine ended with %v before it was ready", m.err)
	}
	return m
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

// TestMachine sends frames of all lengths to a booted machine and back, one at
// a time and in bursts, and ends it.
func TestMachine(t *testing.T) {
	for _, c := range []struct{ name, args, params string }{
		{"q35", "-M q35 -cpu max", ""},
		{"q35, 2 processors, default CPU", "-M q35 -smp 2", ""},
		{"pc", "-M pc -cpu max", ""},
		{"microvm", "-M microvm,pcie=on -cpu max", ""},
		{"halts at once", "-M q35 -cpu max", "idle=halt"},
		{"no merging", "-M q35 -cpu max -device virtio-net-pci,netdev=n,mac=52:54:00:00:00:01,host_mtu=9000,mrg_rxbuf=off,event_idx=off,indirect_desc=off,romfile=", ""},
		{"transitional", "-M q35 -cpu max -device virtio-net-pci,netdev=n,mac=52:54:00:00:00:01,host_mtu=9000,disable-legacy=off,disable-modern=off,romfile=", ""},
		{"behind a bridge", "-M q35 -cpu max -device pcie-root-port,id=rp,chassis=1 -device virtio-net-pci,bus=rp,netdev=n,mac=52:54:00:00:00:01,host_mtu=9000,romfile=", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := boot(t, c.args, c.params)
			for _, size := range []int{32, 60, 61, 1514, 2036, 2037, 4084, 4085, 8180, 8181, 9014} {
				m.echo(size)
			}
			for size := 32; size <= 9014; size += 97 {
				m.echo(size)
			}
			// Frames that are too long or not for anybody do no harm.
			m.send(make([]byte, 9015), make([]byte, 20), make([]byte, 60000))
			m.echo(60)

			const burst = 3000
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
			c := m.counters()
			if c.Tx < burst+100 || c.Events == 0 || c.Errors > 3 {
				t.Errorf("counters %+v; want at least %d sent, some events, at most 3 errors", c, burst+100)
			}
			m.send(frame('x', 64))
			if code := m.exitCode(); code != 0 {
				t.Errorf("exit code %d; want 0", code)
			}
			if !bytes.Contains(m.console.Bytes(), []byte("echo: closed, device memory 0\n")) {
				t.Error("the machine ended without giving its memory back")
			}
		})
	}
}

// TestNoNIC boots machines whose NIC is not there, or not ours to drive: they
// say so in one line.
func TestNoNIC(t *testing.T) {
	for _, c := range []struct{ name, args, params, want string }{
		{"none", "-M q35", "", "echo: opening the NIC: no NIC: no virtio-net device among "},
		{"another", "-M q35 -device e1000e,romfile=", "", "; network cards: 00:01.0 8086:10d3"},
		{"not there", "-M q35", "nic=00:09.0", "no virtio-net device at 00:09.0"},
		{"bad address", "-M q35", "nic=first", "bad boot parameter nic=first"},
		{"bad ip", "-M q35", "ip=10.0.0.1", "bad boot parameter ip=10.0.0.1"},
		{"no interrupts", "-M q35 -device virtio-net-pci,vectors=0,romfile=", "", "no usable MSI-X"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _ := start(t, strings.Fields(c.args), c.params)
			if code := m.exitCode(); code != 3 {
				t.Errorf("exit code %d; want 3", code)
			}
			if !strings.Contains(m.console.String(), c.want) {
				t.Errorf("the console does not say %q", c.want)
			}
		})
	}
}

// BenchmarkMachine measures a machine on QEMU, its emulated device and the
// socket together: a round trip while the machine polls and while it sleeps,
// and frames per second into and out of it.
func BenchmarkMachine(b *testing.B) {
	for _, mode := range []string{"adaptive", "poll", "halt"} {
		b.Run("roundtrip/idle="+mode, func(b *testing.B) {
			m := boot(b, "-M q35 -cpu max", "idle="+mode)
			m.echo(60)
			b.ResetTimer()
			for range b.N {
				m.echo(60)
			}
		})
	}
	for _, size := range []int{60, 1514, 9014} {
		b.Run(fmt.Sprintf("in/%d", size), func(b *testing.B) {
			m := boot(b, "-M q35 -cpu max", "")
			batch := make([][]byte, 32)
			for i := range batch {
				batch[i] = frame('s', size)
			}
			b.SetBytes(int64(size))
			b.ResetTimer()
			for sent := 0; sent < b.N; sent += len(batch) {
				m.send(batch...)
			}
			c := m.counters()
			b.ReportMetric(float64(c.Rx)/float64(max(c.Events, 1)), "frames/event")
		})
		b.Run(fmt.Sprintf("out/%d", size), func(b *testing.B) {
			m := boot(b, "-M q35 -cpu max", "")
			b.SetBytes(int64(size))
			b.ResetTimer()
			m.send(frame('b', 64, uint32(b.N), uint32(size)))
			for range b.N {
				m.receive()
			}
			b.StopTimer()
			c := m.counters()
			b.ReportMetric(float64(c.Tx)/float64(max(c.Kicks, 1)), "frames/kick")
		})
	}
}
