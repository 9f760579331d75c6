//go:build !metal

package link

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"nuos/drivers/nic"
	"nuos/mm"
)

// cable opens both ends of a cable. Both are of this process's machine, which does not
// matter to them.
func cable(t testing.TB) (a, b *Device) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cable")
	open := func() *Device {
		d, err := Open(path, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return d
	}
	a, b = open(), open()
	waitFor(t, "both ends", func() bool { return plugged(a) && plugged(b) })
	return a, b
}

func plugged(d *Device) bool {
	d.tx.mu.Lock()
	defer d.tx.mu.Unlock()
	return d.tx.peer != nil
}

func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// gathered is memory that a card can read.
func gathered(t testing.TB, size uint64) mm.Range {
	t.Helper()
	r, err := mm.AllocDMA(size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mm.FreeDMA(r) })
	return r
}

// TestBothWays sends packets of all shapes in both directions at once, numbered, and wants
// them all, in order, unchanged; and every Gather completed.
func TestBothWays(t *testing.T) {
	a, b := cable(t)
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	const packets = 20000
	done := make(chan bool)
	for i, pair := range [][2]*Device{{a, b}, {b, a}} {
		memory := gathered(t, 64<<10)
		all := mm.Bytes(memory)
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		for k := range all {
			all[k] = byte(rng.Uint32())
		}
		shapes := make(chan []byte, 4096)
		go func() { // sends
			defer func() { done <- true }()
			for n := range uint64(packets) {
				head := make([]byte, 22+rng.IntN(300))
				if rng.IntN(20) == 0 {
					head = make([]byte, 22+rng.IntN(30000))
				}
				binary.LittleEndian.PutUint64(head[14:], n)
				for k := 22; k < len(head); k++ {
					head[k] = byte(n) + byte(k)
				}
				whole := head
				p := nic.Packet{Head: head}
				for room := 60000 - len(head); rng.IntN(3) > 0 && len(p.Gather) < 4; {
					from, size := rng.IntN(len(all)), rng.IntN(12000)
					size = min(size, room, len(all)-from)
					if size == 0 {
						continue
					}
					room -= size
					p.Gather = append(p.Gather, mm.Range{Base: memory.Base + mm.Virt(from), Size: uint64(size)})
					whole = append(whole[:len(whole):len(whole)], all[from:from+size]...)
				}
				shapes <- whole
				for pair[0].Send([]nic.Packet{p}) == 0 {
					time.Sleep(10 * time.Microsecond)
				}
			}
			waitFor(t, "the last packet to be read", func() bool {
				queued, completed := pair[0].Completed()
				return queued == packets && completed == packets
			})
		}()
		go func() { // receives
			defer func() { done <- true }()
			var batch [32]nic.Frame
			for n := 0; n < packets; {
				k := pair[1].Receive(batch[:])
				if k == 0 {
					if pair[1].Arm() {
						pair[1].Wait()
					}
					continue
				}
				for _, f := range batch[:k] {
					want, got := <-shapes, f.Bytes
					for _, r := range f.Rest {
						got = append(got[:len(got):len(got)], r...)
					}
					if !bytes.Equal(got, want) {
						t.Errorf("packet %d: %d bytes, want %d, the first in which they differ: %d", n, len(got), len(want), differ(got, want))
					}
					n++
				}
				rand.Shuffle(k, func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
				half := rand.IntN(k + 1)
				pair[1].Release(batch[:half])
				pair[1].Release(batch[half:k])
			}
		}()
	}
	for range 4 {
		<-done
	}
	for _, d := range []*Device{a, b} {
		if s := d.Stats(); s.RxFrames != packets || s.TxFrames != packets || s.RxBytes == 0 || s.DeviceErrors+s.SendErrors != 0 {
			t.Errorf("%+v", s)
		}
	}
}

func differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// TestAlone: without a machine at the other end packets are lost, and over at once.
func TestAlone(t *testing.T) {
	d, err := Open(filepath.Join(t.TempDir(), "cable"), "")
	if err != nil {
		t.Fatal(err)
	}
	if n := d.Send([]nic.Packet{{Head: make([]byte, 60)}, {Head: make([]byte, 60)}}); n != 2 {
		t.Errorf("Send = %d", n)
	}
	if queued, done := d.Completed(); queued != 2 || done != 2 {
		t.Errorf("Completed = %d, %d", queued, done)
	}
	var batch [1]nic.Frame
	if n := d.Receive(batch[:]); n != 0 {
		t.Errorf("Receive = %d", n)
	}
	waited := make(chan error)
	d.Arm()
	go func() { waited <- d.Wait() }()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := <-waited; err != nic.ErrClosed {
		t.Errorf("Wait = %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestComesAndGoes: a machine ends and another one comes; who waits for an event hears of it, and
// what the first one has not read is over.
func TestComesAndGoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cable")
	stays, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer stays.Close()
	var got atomic.Int64
	go func() {
		var batch [8]nic.Frame
		for {
			if n := stays.Receive(batch[:]); n > 0 {
				got.Add(int64(n))
				stays.Release(batch[:n])
			} else if stays.Arm() && stays.Wait() != nil {
				return
			}
		}
	}()
	for round := range int64(20) {
		comes, err := Open(path, "")
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, "both ends", func() bool { return plugged(comes) && plugged(stays) })
		// Not read by anybody.
		if n := stays.Send([]nic.Packet{{Head: make([]byte, 60), Gather: []mm.Range{gathered(t, 4096)}}}); n != 1 {
			t.Fatalf("Send = %d", n)
		}
		for comes.Send([]nic.Packet{{Head: make([]byte, 60)}}) == 0 {
		}
		waitFor(t, "a frame", func() bool { return got.Load() == round+1 })
		comes.Close()
		waitFor(t, "the packet to be over", func() bool {
			queued, done := stays.Completed()
			return queued == uint64(round)+1 && done == queued
		})
	}
}

// TestBadPackets can never be sent. They are over when those before them are.
func TestBadPackets(t *testing.T) {
	a, b := cable(t)
	good := nic.Packet{Head: make([]byte, 60)}
	for _, bad := range []nic.Packet{
		{Head: make([]byte, 13)},
		{Head: make([]byte, 66000)},
		{Head: make([]byte, 60), Gather: []mm.Range{{Base: 0x1000, Size: 10}}},
		{Head: make([]byte, 60), Gather: []mm.Range{{Base: mm.DirectArea.Base, Size: 1 << 40}}},
	} {
		before, _ := a.Completed()
		if n := a.Send([]nic.Packet{good, bad, good}); n != 3 {
			t.Fatalf("Send = %d", n)
		}
		if queued, done := a.Completed(); queued != before+3 || done != before {
			t.Errorf("Completed = %d, %d after %d", queued, done, before)
		}
		var batch [4]nic.Frame
		if n := b.Receive(batch[:]); n != 2 {
			t.Fatalf("Receive = %d", n)
		}
		b.Release(batch[:1])
		if _, done := a.Completed(); done != before+2 {
			t.Errorf("%d are done after %d and one", done, before)
		}
		b.Release(batch[1:2])
		if _, done := a.Completed(); done != before+3 {
			t.Errorf("%d are done after %d and all", done, before)
		}
	}
	if s := a.Stats(); s.SendErrors != 4 || s.DeviceErrors != 0 {
		t.Errorf("%+v", s)
	}
}

// TestFull: a peer that reads nothing stops the sender, which loses nothing.
func TestFull(t *testing.T) {
	a, b := cable(t)
	memory := gathered(t, 4096)
	sent := uint64(0)
	for a.Send([]nic.Packet{{Head: make([]byte, 1000), Gather: []mm.Range{memory}}}) == 1 {
		sent++
	}
	if sent < 500 || a.Stats().SendFull != 1 {
		t.Errorf("%d packets fitted; %+v", sent, a.Stats())
	}
	var batch [64]nic.Frame
	for got := uint64(0); got < sent; {
		n := b.Receive(batch[:])
		got += uint64(n)
		b.Release(batch[:n])
	}
	if queued, done := a.Completed(); queued != sent || done != sent {
		t.Errorf("Completed = %d, %d, want %d", queued, done, sent)
	}
}

// TestNonsense: a peer that writes nonsense is unplugged, and another can come.
func TestNonsense(t *testing.T) {
	for name, spoil := range map[string]func(own end){
		"outside":   func(own end) { own.descriptors[0] = descriptor{addr: 1 << 50, len: 100}; *own.tail = 1 },
		"too long":  func(own end) { own.descriptors[0] = descriptor{addr: 0, len: 1<<32 - 1}; *own.tail = 1 },
		"too short": func(own end) { own.descriptors[0] = descriptor{addr: 0, len: 3}; *own.tail = 1 },
		"no end":    func(own end) { own.descriptors[0] = descriptor{addr: 0, len: 60, more: 1}; *own.tail = 1 },
		"too many": func(own end) {
			for i := range own.descriptors {
				own.descriptors[i] = descriptor{addr: 0, len: 60, more: 1}
			}
			*own.tail = entries
		},
		"far away": func(own end) { *own.tail = entries + 1 },
		"head":     func(own end) { *own.head = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := cable(t)
			spoil(b.own)
			var batch [8]nic.Frame
			if n := a.Receive(batch[:]); n != 0 {
				t.Errorf("Receive = %d", n)
				a.Release(batch[:n])
			}
			a.Completed()
			if a.Stats().DeviceErrors == 0 {
				t.Error("nobody noticed")
			}
			waitFor(t, "them to meet again", func() bool {
				return plugged(a) && plugged(b) && b.Send([]nic.Packet{{Head: make([]byte, 60)}}) == 1 && a.Receive(batch[:1]) == 1
			})
			a.Release(batch[:1])
		})
	}
}

// TestStranger: what is no machine at the socket does no harm.
func TestStranger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cable")
	d, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, words := range []string{"", "hello", "nuoslnk1aaaaaaaabbbbbbbb", "a line that is longer than any greeting could be"} {
		before := d.Stats().DeviceErrors
		waitFor(t, "the stranger to be refused", func() bool { // whom the device does not meet if another is just going
			if c, err := net.Dial("unix", path); err == nil {
				c.Write([]byte(words))
				c.Close()
			}
			return d.Stats().DeviceErrors > before
		})
	}
	other, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	waitFor(t, "both ends", func() bool { return plugged(d) && plugged(other) })
}

func TestNoAllocation(t *testing.T) {
	a, b := cable(t)
	memory := gathered(t, 8192)
	var packets [16]nic.Packet
	for i := range packets {
		packets[i] = nic.Packet{Head: make([]byte, 60), Gather: []mm.Range{memory}}
	}
	var batch [32]nic.Frame
	if n := testing.AllocsPerRun(500, func() {
		if n := a.Send(packets[:]); n != len(packets) {
			t.Fatalf("Send = %d", n)
		}
		n := b.Receive(batch[:])
		b.Release(batch[:n])
		b.Arm()
		a.Completed()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
