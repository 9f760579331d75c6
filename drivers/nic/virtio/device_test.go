package virtio

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"nuos/drivers/nic"
	"nuos/drivers/virtiopci"
	"nuos/mm"
)

// variants is every set of features that changes how the rings are used.
func variants(t *testing.T, test func(t *testing.T, features uint64)) {
	for _, packed := range []uint64{0, featPacked} {
		for _, merge := range []uint64{0, featMrgRxbuf} {
			for _, indirect := range []uint64{0, featIndirect} {
				for _, event := range []uint64{0, featEventIdx} {
					f := featVersion1 | featMAC | featMTU | packed | merge | indirect | event
					t.Run(fmt.Sprintf("packed=%t,merge=%t,indirect=%t,event=%t", packed != 0, merge != 0, indirect != 0, event != 0),
						func(t *testing.T) { test(t, f) })
				}
			}
		}
	}
}

// random returns a source of randomness whose seed is logged.
func random(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// noise is what frames are cut from: random numbers are slow to make.
var noise = func() []byte {
	b := make([]byte, 32<<10)
	new(rand.ChaCha8).Read(b)
	return b
}()

// someFrame returns a frame of random length and content, up to most bytes.
func someFrame(r *rand.Rand, most int) []byte {
	size := 14 + r.IntN(most-13)
	if r.IntN(3) == 0 {
		size = min(size, 64)
	}
	at := r.IntN(len(noise) - size)
	return noise[at : at+size]
}

// TestBothWays sends and receives many times the length of the rings, in
// batches of all sizes, with every set of features.
func TestBothWays(t *testing.T) {
	variants(t, func(t *testing.T, features uint64) {
		r := random(t)
		m := newModel(features)
		m.entries = 32
		d := openModel(t, m, options{})
		const most = 9014
		frames := make([]nic.Frame, 16)
		var packets []nic.Packet
		count, sent := 0, uint64(0)
		for range 700 {
			var want [][]byte
			for range r.IntN(12) {
				if f := someFrame(r, most); m.deliver(f) {
					want = append(want, f)
				}
			}
			m.tell(receiveQueue)
			for len(want) > 0 {
				n := d.Receive(frames[:1+r.IntN(16)])
				if n == 0 {
					t.Fatalf("Receive = 0 with %d frames there", len(want))
				}
				for i, f := range frames[:n] {
					if !bytes.Equal(f.Bytes, want[i]) {
						t.Fatalf("frame of %d bytes differs from that of %d bytes sent", len(f.Bytes), len(want[i]))
					}
				}
				want = want[n:]
				count += n
				d.Release(frames[:n])
			}

			packets = packets[:0]
			for range r.IntN(12) {
				packets = append(packets, nic.Packet{Head: someFrame(r, most)})
			}
			n := d.Send(packets)
			for _, p := range packets[:n] {
				got, _, ok := m.sent(true)
				if !ok || !bytes.Equal(got, p.Head) {
					t.Fatalf("device read %d bytes, %v; want %d", len(got), ok, len(p.Head))
				}
			}
			sent += uint64(n)
			if q, done := d.Completed(); q != sent || done != sent {
				t.Fatalf("Completed = %d, %d; want %d", q, done, sent)
			}
		}
		s := d.Stats()
		if s.RxFrames != uint64(count) || s.TxFrames != sent || s.RxErrors+s.SendErrors+s.DeviceErrors != 0 {
			t.Errorf("Stats = %+v; want %d received, %d sent, no errors", s, count, sent)
		}
	})
}

func TestNegotiation(t *testing.T) {
	for _, c := range []struct {
		name     string
		features uint64
		mtu      int
		wantMTU  int
		err      error
	}{
		{"all", everything, 9000, 9000, nil},
		{"all, and packed", everything | featPacked, 9000, 9000, nil},
		{"larger MTU than ours", everything, 65535, 9000, nil},
		{"smaller MTU", everything, 1280, 1280, nil},
		{"nonsense MTU", everything, 0, 1500, nil},
		{"no MTU offered", everything &^ featMTU, 9000, 1500, nil},
		{"legacy", everything &^ featVersion1, 9000, 0, virtiopci.ErrLegacy},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(c.features | 1<<0 | 1<<17) // and some we must not take
			m.mtu = c.mtu
			d, err := open(m, options{})
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("open = %v; want %v", err, c.err)
			}
			if err != nil {
				if !m.closed {
					t.Error("device was not stopped after an error")
				}
				return
			}
			defer d.Close()
			if d.Info().MTU != c.wantMTU {
				t.Errorf("MTU = %d; want %d", d.Info().MTU, c.wantMTU)
			}
			if m.accepted != c.features {
				t.Errorf("accepted %#x of %#x", m.accepted, c.features)
			}
		})
	}
	m := newModel(everything)
	m.entries = 0
	if _, err := open(m, options{}); !errors.Is(err, virtiopci.ErrQueue) {
		t.Errorf("open without queues = %v; want %v", err, virtiopci.ErrQueue)
	}
	m = newModel(everything &^ featMAC)
	d := openModel(t, m, options{})
	if mac := d.Info().MAC; mac[0]&3 != 2 {
		t.Errorf("made-up MAC %v is not local and unicast", mac)
	}
}

// TestMergedFrames checks that a frame in several buffers is lent as it lies,
// copied only where the array of buffers ends.
func TestMergedFrames(t *testing.T) {
	r := random(t)
	m := newModel(everything)
	m.entries = 16
	d := openModel(t, m, options{bufferSize: 1024})
	joined, lent := 0, 0
	var frames [1]nic.Frame
	for range 200 {
		want := make([]byte, 2000+r.IntN(5000))
		for i := range want {
			want[i] = byte(r.Uint32())
		}
		if !m.deliver(want) {
			t.Fatal("no room for a frame")
		}
		m.tell(receiveQueue)
		if n := d.Receive(frames[:]); n != 1 || !bytes.Equal(frames[0].Bytes, want) {
			t.Fatalf("Receive = %d, %d bytes; want 1, %d bytes", n, len(frames[0].Bytes), len(want))
		}
		if frames[0].Cookie&cookieJoined != 0 {
			joined++
		} else {
			lent++
		}
		d.Release(frames[:])
	}
	// A frame takes 2 to 7 of 16 buffers, so it crosses the end now and then.
	if joined == 0 || lent < joined {
		t.Errorf("%d frames lent as they lay, %d copied", lent, joined)
	}
}

// TestJoinedBuffersRunOut has the device use buffers in an order that needs a
// copy for each frame, and nobody release them: Receive stops early and loses
// nothing.
func TestJoinedBuffersRunOut(t *testing.T) {
	m := newModel(everything)
	d := openModel(t, m, options{bufferSize: 64})
	ring := &m.rings[receiveQueue]
	const frames = joinedBuffers + 3
	for i := range frames {
		// Two buffers, the later one first.
		for k, id := range []uint16{ring.head(1), ring.head(0)} {
			b := at((*word[descriptor](ring.desc + 16*uintptr(id))).addr, 64)
			clear(b)
			if k == 0 {
				b[10] = 2
			}
			b[63] = byte(i)
			ring.put(uint32(id), 64)
		}
		ring.next += 2
	}
	m.tell(receiveQueue)
	batch := make([]nic.Frame, 2*frames)
	n := d.Receive(batch)
	if n != joinedBuffers {
		t.Fatalf("Receive = %d; want %d", n, joinedBuffers)
	}
	if more := d.Receive(batch[n:]); more != 0 {
		t.Fatalf("Receive with everything lent = %d; want 0", more)
	}
	d.Release(batch[:n])
	if n = d.Receive(batch); n != frames-joinedBuffers {
		t.Fatalf("Receive after Release = %d; want %d", n, frames-joinedBuffers)
	}
	for i, f := range batch[:n] {
		if len(f.Bytes) != 116 || f.Bytes[115] != byte(joinedBuffers+i) {
			t.Errorf("frame %d has %d bytes, ends with %d", i, len(f.Bytes), f.Bytes[len(f.Bytes)-1])
		}
	}
	d.Release(batch[:n])
	if s := d.Stats(); s.RxErrors+s.DeviceErrors != 0 {
		t.Errorf("Stats = %+v; want no errors", s)
	}
}

func TestFullRing(t *testing.T) {
	variants(t, func(t *testing.T, features uint64) {
		m := newModel(features)
		d := openModel(t, m, options{})
		slots := len(d.tx.slots)
		batch := make([]nic.Packet, slots+5)
		for i := range batch {
			batch[i].Head = bytes.Repeat([]byte{byte(i)}, 60)
		}
		if n := d.Send(batch); n != slots {
			t.Fatalf("Send = %d; want %d, all slots", n, slots)
		}
		if n := d.Send(batch); n != 0 {
			t.Fatalf("Send on a full ring = %d; want 0", n)
		}
		if d.Stats().SendFull != 2 {
			t.Errorf("SendFull = %d; want 2", d.Stats().SendFull)
		}
		// The device finishes in reverse: nothing is done until the first is.
		var heads []uint16
		for {
			_, head, ok := m.sent(false)
			if !ok {
				break
			}
			heads = append(heads, head)
		}
		for i := len(heads) - 1; i > 0; i-- {
			m.complete(sendQueue, heads[i])
		}
		m.tell(sendQueue)
		if q, done := d.Completed(); q != uint64(slots) || done != 0 {
			t.Errorf("Completed = %d, %d with the first missing; want %d, 0", q, done, slots)
		}
		if n := d.Send(batch[:slots-1]); n != slots-1 {
			t.Errorf("Send with all slots but one free = %d; want %d", n, slots-1)
		}
		m.complete(sendQueue, heads[0])
		m.tell(sendQueue)
		if _, done := d.Completed(); done != uint64(slots) {
			t.Errorf("done = %d; want %d", done, slots)
		}
	})
}

// TestGather sends ranges of a mapped heap, of every alignment.
func TestGather(t *testing.T) {
	heap := mm.Range{Base: mm.HeapArea.Base + 0x7000_0000, Size: 8 * mm.PageSize}
	if err := mm.Map(heap); err != nil {
		t.Fatal(err)
	}
	defer mm.Unmap(heap)
	memory := mm.Bytes(heap)
	r := random(t)
	for i := range memory {
		memory[i] = byte(r.Uint32())
	}
	piece := func(offset, size uint64) mm.Range { return mm.Range{Base: heap.Base + mm.Virt(offset), Size: size} }

	variants(t, func(t *testing.T, features uint64) {
		m := newModel(features)
		d := openModel(t, m, options{})
		head := bytes.Repeat([]byte{7}, 42)
		for range 500 {
			p := nic.Packet{Head: head}
			want := bytes.Clone(head)
			for range 1 + r.IntN(2) {
				offset, size := r.Uint64N(7*mm.PageSize), r.Uint64N(mm.PageSize)
				p.Gather = append(p.Gather, piece(offset, size))
				want = append(want, memory[offset:offset+size]...)
			}
			before := d.Stats().SendErrors
			if n := d.Send([]nic.Packet{p}); n != 1 {
				t.Fatalf("Send = %d; want 1", n)
			}
			if d.Stats().SendErrors != before {
				if features&featIndirect != 0 {
					t.Fatalf("packet with pieces %v cannot be sent", p.Gather)
				}
				continue // more pieces than a short chain has
			}
			if got, _, ok := m.sent(true); !ok || !bytes.Equal(got, want) {
				t.Fatalf("device read %d bytes, %v; want %d", len(got), ok, len(want))
			}
		}
		many := make([]mm.Range, d.Info().MaxPieces+1)
		for i := range many {
			many[i] = piece(uint64(i)*128, 64)
		}
		unmapped := mm.Range{Base: mm.HeapArea.Base + 0x6000_0000, Size: 64}
		goHeap := make([]byte, 64)
		for _, bad := range []struct {
			name string
			p    nic.Packet
		}{
			{"empty", nic.Packet{}},
			{"short", nic.Packet{Head: head[:13]}},
			{"long head", nic.Packet{Head: make([]byte, 9015)}},
			{"long", nic.Packet{Head: head, Gather: []mm.Range{piece(0, 9000)}}},
			{"overflowing", nic.Packet{Head: head, Gather: []mm.Range{piece(0, 1<<64-1)}}},
			{"too many pieces", nic.Packet{Head: head, Gather: many}},
			{"unmapped", nic.Packet{Head: head, Gather: []mm.Range{unmapped}}},
			{"memory of Go", nic.Packet{Head: head, Gather: []mm.Range{{Base: addressOf(goHeap), Size: 64}}}},
		} {
			before := d.Stats().SendErrors
			if n := d.Send([]nic.Packet{bad.p}); n != 1 || d.Stats().SendErrors != before+1 {
				t.Errorf("%s: Send = %d, %d errors; want 1, 1", bad.name, n, d.Stats().SendErrors-before)
			}
			if got, _, ok := m.sent(true); ok {
				t.Errorf("%s: device got a packet of %d bytes", bad.name, len(got))
			}
		}
		if q, done := d.Completed(); q != done {
			t.Errorf("Completed = %d, %d; want all done", q, done)
		}
		// After all that, a full set of pieces still goes.
		if d.Send([]nic.Packet{{Head: head, Gather: many[1:]}}); d.Stats().TxFrames == 0 {
			t.Error("nothing was sent")
		}
		if got, _, ok := m.sent(true); !ok || len(got) != len(head)+64*d.Info().MaxPieces {
			t.Errorf("device read %d bytes, %v; want %d", len(got), ok, len(head)+64*d.Info().MaxPieces)
		}
	})
}
