//go:build !metal

package port_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"nuos/boot/image"
)

// echoImage is built once.
var echoImage = sync.OnceValues(func() (string, error) {
	r, err := image.Build(context.Background(), image.Options{Package: "./testdata/echo", Output: filepath.Join(workDir, "echo.elf")})
	return r.Path, err
})

// emulate starts a machine on QEMU. The status of the process is twice the
// machine's exit code, plus 1.
func emulate(t testing.TB, args []string, params string) *machine {
	t.Helper()
	file, err := echoImage()
	if err != nil {
		t.Fatal(err)
	}
	return start(t, "qemu-system-x86_64", append(args, "-accel", "tcg,thread=multi", "-m", "128",
		"-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", file, "-append", params)...)
}

// boot starts a machine with a NIC, which args may have described, and returns
// when it is ready.
func boot(t testing.TB, args string, params string) *machine {
	t.Helper()
	dir, err := os.MkdirTemp(workDir, "")
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
	m := emulate(t, words, params)
	l.SetDeadline(time.Now().Add(time.Minute)) // for a QEMU that does not start
	cable, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	m.plug(cable)
	return m
}

// TestQEMU exercises machines of every kind, with every kind of ring and place
// of the card.
func TestQEMU(t *testing.T) {
	for _, c := range []struct{ name, args, params string }{
		{"q35", "-M q35 -cpu max", ""},
		{"q35, 2 processors, default CPU", "-M q35 -smp 2", ""},
		{"q35, 4 processors", "-M q35 -cpu max -smp 4", ""},
		{"pc", "-M pc -cpu max", ""},
		{"microvm", "-M microvm,pcie=on -cpu max", ""},
		{"halts at once", "-M q35 -cpu max", "idle=halt"},
		{"no merging", "-M q35 -cpu max -device virtio-net-pci,netdev=n,mac=52:54:00:00:00:01,host_mtu=9000,mrg_rxbuf=off,event_idx=off,indirect_desc=off,romfile=", ""},
		{"packed", "-M q35 -cpu max -device virtio-net-pci,netdev=n,mac=52:54:00:00:00:01,host_mtu=9000,packed=on,romfile=", ""},
		{"packed, halts at once", "-M q35 -cpu max -smp 2 -device virtio-net-pci,netdev=n,mac=52:54:00:00:00:01,host_mtu=9000,packed=on,romfile=", "idle=halt"},
		{"packed, no merging", "-M q35 -cpu max -device virtio-net-pci,netdev=n,mac=52:54:00:00:00:01,host_mtu=9000,packed=on,mrg_rxbuf=off,event_idx=off,indirect_desc=off,romfile=", ""},
		{"packed, no interrupts", "-M q35 -cpu max -device virtio-net-pci,netdev=n,mac=52:54:00:00:00:01,host_mtu=9000,packed=on,vectors=0,romfile=", ""},
		{"no interrupts", "-M q35 -cpu max -device virtio-net-pci,netdev=n,mac=52:54:00:00:00:01,host_mtu=9000,vectors=0,romfile=", ""},
		{"no interrupts, 2 processors, halts at once", "-M q35 -cpu max -smp 2 -device virtio-net-pci,netdev=n,mac=52:54:00:00:00:01,host_mtu=9000,vectors=0,romfile=", "idle=halt"},
		{"transitional", "-M q35 -cpu max -device virtio-net-pci,netdev=n,mac=52:54:00:00:00:01,host_mtu=9000,disable-legacy=off,disable-modern=off,romfile=", ""},
		{"behind a bridge", "-M q35 -cpu max -device pcie-root-port,id=rp,chassis=1 -device virtio-net-pci,bus=rp,netdev=n,mac=52:54:00:00:00:01,host_mtu=9000,romfile=", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := boot(t, c.args, c.params)
			m.exercise()
			if status := m.exitStatus(); status != 1 {
				t.Errorf("QEMU ended with status %d; want 1, which is the machine's 0", status)
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
	} {
		t.Run(c.name, func(t *testing.T) {
			m := emulate(t, strings.Fields(c.args), c.params)
			if status := m.exitStatus(); status != 3<<1|1 {
				t.Errorf("QEMU ended with status %d; want 7, which is the machine's 3", status)
			}
			if !strings.Contains(m.console.String(), c.want) {
				t.Errorf("the console does not say %q", c.want)
			}
		})
	}
}

// BenchmarkQEMU measures a machine on QEMU, its emulated device and the
// socket together: a round trip while the machine polls and while it sleeps,
// and frames per second into and out of it.
func BenchmarkQEMU(b *testing.B) {
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
			if sent := uint64(b.N+len(batch)-1) / uint64(len(batch)) * uint64(len(batch)); c.Sunk != sent {
				b.Errorf("%d of %d frames arrived", c.Sunk, sent)
			}
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
