//go:build !metal

package virtio_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"nuos/drivers/nic"
	"nuos/drivers/nic/virtio"
	"nuos/mm"
	"nuos/qemu/tor"
)

// joined returns two devices on one switch.
func joined(t testing.TB) (a, b *virtio.Device) {
	t.Helper()
	mm.Frames() // makes the machine's memory
	before := mm.Frames().DMA
	sw := tor.New(1)
	var devices [2]*virtio.Device
	for i := range devices {
		path := filepath.Join(t.TempDir(), "nic")
		mac := net.HardwareAddr{2, 0, 0, 0, 0, byte(i + 1)}
		if err := sw.AddPort(path).ListenVhostUser(path, tor.NetConfig{MAC: mac, MTU: 9000}); err != nil {
			t.Fatal(err)
		}
		d, err := virtio.OpenVhostUser(path)
		if err != nil {
			t.Fatal(err)
		}
		if d.Info().MAC != nic.MAC(mac) || d.Info().MTU != 9000 {
			t.Fatalf("Info = %+v; want address %v and MTU 9000", d.Info(), mac)
		}
		devices[i] = d
	}
	t.Cleanup(func() {
		for _, d := range devices {
			if err := d.Close(); err != nil {
				t.Errorf("Close = %v", err)
			}
		}
		if err := sw.Close(); err != nil {
			t.Errorf("switch: %v", err)
		}
		if after := mm.Frames().DMA; after != before {
			t.Errorf("%d frames of device memory after Close; want %d", after, before)
		}
	})
	return devices[0], devices[1]
}

// receive waits for the next frame and returns a copy of it.
func receive(t testing.TB, d *virtio.Device) []byte {
	t.Helper()
	var batch [1]nic.Frame
	for d.Receive(batch[:]) == 0 {
		if d.Arm() {
			if err := d.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	defer d.Release(batch[:])
	return bytes.Clone(batch[0].Bytes)
}

// TestVhostUser sends frames of all sizes both ways over the switch, gathered
// from a heap, one at a time and in bursts.
func TestVhostUser(t *testing.T) {
	a, b := joined(t)
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	heap := mm.Range{Base: mm.HeapArea.Base + 0x5000_0000, Size: 8 * mm.PageSize}
	if err := mm.Map(heap); err != nil {
		t.Fatal(err)
	}
	defer mm.Unmap(heap)
	memory := mm.Bytes(heap)
	for i := range memory {
		memory[i] = byte(r.Uint32())
	}
	for round := range 300 {
		from, to := a, b
		if round%2 == 1 {
			from, to = b, a
		}
		toMAC, fromMAC := to.Info().MAC, from.Info().MAC
		head := append(append(append([]byte{}, toMAC[:]...), fromMAC[:]...), 0x88, 0xb5)
		var packets []nic.Packet
		var want [][]byte
		for range 1 + r.IntN(30) {
			size, offset := r.Uint64N(9001), r.Uint64N(4*mm.PageSize)
			p := nic.Packet{Head: head}
			if size > 0 {
				p.Gather = []mm.Range{{Base: heap.Base + mm.Virt(offset), Size: size}}
			}
			packets = append(packets, p)
			want = append(want, append(bytes.Clone(head), memory[offset:offset+size]...))
		}
		for rest := packets; len(rest) > 0; rest = rest[from.Send(rest):] {
			runtime.Gosched()
		}
		for i := range want {
			if got := receive(t, to); !bytes.Equal(got, want[i]) {
				t.Fatalf("round %d: frame %d has %d bytes and differs; want %d bytes", round, i, len(got), len(want[i]))
			}
		}
	}
	for _, d := range []*virtio.Device{a, b} {
		if s := d.Stats(); s.RxErrors+s.SendErrors+s.DeviceErrors != 0 {
			t.Errorf("%s: %+v; want no errors", d.Info().Name, s)
		}
		for queued, done := d.Completed(); queued != done; queued, done = d.Completed() {
			runtime.Gosched()
		}
	}
}

// BenchmarkVhostUser measures the driver and the switch together, in one
// process: a round trip of one small frame, and a stream of large ones. Both
// sides sleep when they have nothing to do: who spins keeps Go's network
// poller, and so the switch, from running.
func BenchmarkVhostUser(b *testing.B) {
	frame := func(to, from *virtio.Device, size int) nic.Packet {
		toMAC, fromMAC := to.Info().MAC, from.Info().MAC
		return nic.Packet{Head: append(append(append([]byte{}, toMAC[:]...), fromMAC[:]...), make([]byte, size-12)...)}
	}
	// take receives frames, without a copy, until it has n.
	take := func(d *virtio.Device, n int) {
		var batch [32]nic.Frame
		for n > 0 {
			k := d.Receive(batch[:])
			d.Release(batch[:k])
			n -= k
			if k == 0 && n > 0 && d.Arm() {
				d.Wait()
			}
		}
	}
	b.Run("roundtrip", func(b *testing.B) {
		x, y := joined(b)
		there, back := []nic.Packet{frame(y, x, 60)}, []nic.Packet{frame(x, y, 60)}
		go func() {
			for range b.N {
				take(y, 1)
				y.Send(back)
			}
		}()
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			x.Send(there)
			take(x, 1)
		}
	})
	for _, size := range []int{1514, 9014} {
		b.Run(fmt.Sprintf("stream/%d", size), func(b *testing.B) {
			x, y := joined(b)
			var packets [32]nic.Packet
			for i := range packets {
				packets[i] = frame(y, x, size)
			}
			b.SetBytes(int64(size))
			b.ResetTimer()
			go func() {
				for left := b.N; left > 0; {
					n := x.Send(packets[:min(left, len(packets))])
					if left -= n; n == 0 {
						time.Sleep(20 * time.Microsecond)
					}
				}
			}()
			take(y, b.N)
		})
	}
}
