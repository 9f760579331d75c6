package nictest

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"nuos/drivers/nic"
	"nuos/mm"
)

// frame is a minimal frame that carries n.
func frame(to, from nic.MAC, n uint32) nic.Packet {
	f := append(append(append([]byte{}, to[:]...), from[:]...), 0x88, 0xb5)
	return nic.Packet{Head: binary.BigEndian.AppendUint32(f, n)}
}

// received takes every frame that has arrived at d and returns their numbers.
func received(d *Device) (numbers []uint32) {
	var batch [8]nic.Frame
	for {
		n := d.Receive(batch[:])
		if n == 0 {
			return numbers
		}
		for _, f := range batch[:n] {
			if len(f.Bytes) >= 18 {
				numbers = append(numbers, binary.BigEndian.Uint32(f.Bytes[14:]))
			}
		}
		d.Release(batch[:n])
	}
}

func TestLearning(t *testing.T) {
	s := New(t, Options{})
	a, b, c := s.Attach(), s.Attach(), s.Attach()
	mac := func(d *Device) nic.MAC { return d.Info().MAC }

	a.Send([]nic.Packet{frame(nic.Broadcast, mac(a), 1)}) // everybody learns a
	b.Send([]nic.Packet{frame(mac(a), mac(b), 2)})        // only a
	a.Send([]nic.Packet{frame(mac(b), mac(a), 3)})        // only b
	a.Send([]nic.Packet{frame(mac(c), mac(a), 4)})        // c is not known yet

	for _, want := range []struct {
		d       *Device
		numbers []uint32
	}{{a, []uint32{2}}, {b, []uint32{1, 3, 4}}, {c, []uint32{1, 4}}} {
		if got := received(want.d); !slices.Equal(got, want.numbers) {
			t.Errorf("%s received %v; want %v", want.d.Info().Name, got, want.numbers)
		}
	}
}

func TestGatherIsReadAsMemory(t *testing.T) {
	s := New(t, Options{})
	a, b := s.Attach(), s.Attach()
	one, two := bytes.Repeat([]byte{1}, 4096), bytes.Repeat([]byte{2}, 4096)
	p := frame(b.Info().MAC, a.Info().MAC, 7)
	p.Gather = []mm.Range{
		{Base: mm.Virt(unsafe.Pointer(&one[0])), Size: 4096},
		{Base: mm.Virt(unsafe.Pointer(&two[0])), Size: 4096},
	}
	if n := a.Send([]nic.Packet{p}); n != 1 {
		t.Fatalf("Send = %d; want 1", n)
	}
	want := slices.Concat(p.Head, one, two)
	batch := make([]nic.Frame, 1)
	if n := b.Receive(batch); n != 1 || !bytes.Equal(batch[0].Bytes, want) {
		t.Fatalf("Receive = %d frames, %d bytes; want 1 frame of %d bytes", n, len(batch[0].Bytes), len(want))
	}
}

func TestBadPacketsAreCounted(t *testing.T) {
	s := New(t, Options{MTU: 1500})
	a, b := s.Attach(), s.Attach()
	a.Send([]nic.Packet{{Head: make([]byte, 13)}, {Head: make([]byte, 1515)}, {}})
	if got := a.Stats().SendErrors; got != 3 {
		t.Errorf("SendErrors = %d; want 3", got)
	}
	if got := received(b); len(got) != 0 {
		t.Errorf("received %v; want nothing", got)
	}
	if q, d := a.Completed(); q != 3 || d != 3 {
		t.Errorf("Completed = %d, %d; want 3, 3", q, d)
	}
}

func TestFullQueueDrops(t *testing.T) {
	s := New(t, Options{Queue: 4})
	a, b := s.Attach(), s.Attach()
	for i := range 10 {
		a.Send([]nic.Packet{frame(b.Info().MAC, a.Info().MAC, uint32(i))})
	}
	if got, want := received(b), []uint32{0, 1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("received %v; want %v", got, want)
	}
	if s.Dropped() != 6 {
		t.Errorf("Dropped = %d; want 6", s.Dropped())
	}
}

// TestFaults checks that each fault happens about as often as it should.
func TestFaults(t *testing.T) {
	const sent = 2000
	for _, f := range []struct {
		name     string
		faults   Faults
		min, max int // frames received with their number whole
	}{
		{"loss", Faults{Loss: .2}, 1400, 1800},
		{"duplicate", Faults{Duplicate: .2}, 2200, 2600},
		{"corrupt", Faults{Corrupt: .5}, 1000, 1999},
		{"truncate", Faults{Truncate: .5}, 800, 1300},
		{"all lost", Faults{Loss: 1}, 0, 0},
	} {
		t.Run(f.name, func(t *testing.T) {
			s := New(t, Options{Queue: 2 * sent})
			a, b := s.Attach(), s.Attach()
			s.SetFaults(f.faults)
			got := 0
			for i := range uint32(sent) {
				a.Send([]nic.Packet{frame(nic.Broadcast, a.Info().MAC, i)})
				for _, n := range received(b) {
					if n == i {
						got++
					}
				}
			}
			if got < f.min || got > f.max {
				t.Errorf("%d of %d frames arrived whole; want %d to %d", got, sent, f.min, f.max)
			}
		})
	}
}

func TestPartition(t *testing.T) {
	s := New(t, Options{})
	a, b, c := s.Attach(), s.Attach(), s.Attach()
	say := func(n uint32) { a.Send([]nic.Packet{frame(nic.Broadcast, a.Info().MAC, n)}) }
	s.Partition([]*Device{a, b}, []*Device{c})
	say(1)
	s.Heal()
	say(2)
	s.SetLink(a, b, Faults{Loss: 1})
	say(3)
	if got, want := received(b), []uint32{1, 2}; !slices.Equal(got, want) {
		t.Errorf("b received %v; want %v", got, want)
	}
	if got, want := received(c), []uint32{2, 3}; !slices.Equal(got, want) {
		t.Errorf("c received %v; want %v", got, want)
	}
}

// TestVirtualTime checks delays to the nanosecond, which only a bubble can.
func TestVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(t, Options{})
		a, b := s.Attach(), s.Attach()
		s.SetFaults(Faults{Delay: 3 * time.Millisecond})
		begin := time.Now()
		for i := range uint32(5) {
			a.Send([]nic.Packet{frame(nic.Broadcast, a.Info().MAC, i)})
		}
		if !b.Arm() {
			t.Fatal("Arm = false with no frame there")
		}
		if err := b.Wait(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := time.Since(begin); got != 3*time.Millisecond {
			t.Errorf("frames arrived after %v; want 3ms", got)
		}
		if b.Arm() {
			t.Error("Arm = true with frames there")
		}
		if got, want := received(b), []uint32{0, 1, 2, 3, 4}; !slices.Equal(got, want) {
			t.Errorf("received %v; want %v", got, want)
		}

		s.SetFaults(Faults{Reorder: .5})
		for i := range uint32(100) {
			a.Send([]nic.Packet{frame(nic.Broadcast, a.Info().MAC, i)})
		}
		time.Sleep(time.Second)
		got := received(b)
		if len(got) != 100 || slices.IsSorted(got) {
			t.Errorf("received %d frames, sorted: %v; want 100 out of order", len(got), slices.IsSorted(got))
		}
		s.Close()
		if err := b.Wait(); err != nic.ErrClosed {
			t.Errorf("Wait = %v; want %v", err, nic.ErrClosed)
		}
	})
}
