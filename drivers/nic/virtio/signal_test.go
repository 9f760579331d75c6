package virtio

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"nuos/drivers/nic"
	"nuos/mm"
)

func addressOf(b []byte) mm.Virt { return mm.Virt(unsafe.Pointer(&b[0])) }

// TestKicks checks that the bell is rung when the device sleeps, once, and not
// while it looks anyhow.
func TestKicks(t *testing.T) {
	variants(t, func(t *testing.T, features uint64) {
		m := newModel(features)
		d := openModel(t, m, options{})
		p := []nic.Packet{{Head: make([]byte, 60)}}
		for round := range 70000 / 16 { // past the wrap of 16 bits
			m.wantKick(sendQueue, true)
			before := m.kicks[sendQueue]
			d.Send(p)
			if got := m.kicks[sendQueue] - before; got != 1 {
				t.Fatalf("round %d: %d kicks of a sleeping device; want 1", round, got)
			}
			m.wantKick(sendQueue, false)
			for range 15 {
				d.Send(p)
				m.sent(true)
			}
			if got := m.kicks[sendQueue] - before; got != 1 {
				t.Fatalf("round %d: %d kicks of a device that looks; want none", round, got-1)
			}
			m.sent(true)
		}
	})
}

// TestArm checks that there is an event after Arm, and none without.
func TestArm(t *testing.T) {
	variants(t, func(t *testing.T, features uint64) {
		m := newModel(features)
		d := openModel(t, m, options{})
		f := make([]byte, 60)
		var batch [4]nic.Frame
		drain := func() {
			for n := d.Receive(batch[:]); n > 0; n = d.Receive(batch[:]) {
				d.Release(batch[:n])
			}
		}
		deliver := func() {
			if !m.deliver(f) {
				t.Fatal("no buffer")
			}
			m.tell(receiveQueue)
		}
		for round := range 3000 {
			before := m.events
			deliver()
			if m.events != before {
				t.Fatalf("round %d: event without Arm", round)
			}
			if d.Arm() {
				t.Fatalf("round %d: Arm = true with a frame there", round)
			}
			deliver()
			drain()
			if m.events != before {
				t.Fatalf("round %d: event after an Arm that was refused", round)
			}
			if !d.Arm() {
				t.Fatalf("round %d: Arm = false with no frame", round)
			}
			deliver()
			if m.events != before+1 {
				t.Fatalf("round %d: %d events after Arm; want 1", round, m.events-before)
			}
			if err := d.Wait(); err != nil {
				t.Fatal(err)
			}
			drain()
		}
	})
}

// TestEventComesDespiteReceive has somebody else take the frame in the moment
// between its arrival and the event for it: who waits must wake all the same.
func TestEventComesDespiteReceive(t *testing.T) {
	variants(t, func(t *testing.T, features uint64) {
		m := newModel(features)
		d := openModel(t, m, options{})
		var batch [4]nic.Frame
		for round := range 1000 {
			if !d.Arm() {
				t.Fatalf("round %d: Arm = false with no frame", round)
			}
			if !m.deliver(make([]byte, 60)) {
				t.Fatal("no buffer")
			}
			before := m.events
			m.publish(receiveQueue)
			d.Release(batch[:d.Receive(batch[:])])
			m.signal(receiveQueue)
			if m.events != before+1 {
				t.Fatalf("round %d: %d events; want 1", round, m.events-before)
			}
			if err := d.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestNoLostWakeup runs the device in another goroutine: a frame that arrives
// at any moment around Arm is seen, because the test hangs otherwise. It is
// also what shows the race detector the rings' orders, as far as it sees them.
func TestNoLostWakeup(t *testing.T) {
	variants(t, func(t *testing.T, features uint64) {
		m := newModel(features)
		d := openModel(t, m, options{})
		frames := int64(4000)
		if runtime.GOMAXPROCS(0) == 1 {
			frames = 200 // two that take turns meet in no new place, every 10 ms
		}
		var received atomic.Int64
		var wg sync.WaitGroup
		wg.Go(func() {
			f := make([]byte, 60)
			for sent := range frames {
				// Often the driver is about to sleep when a frame comes.
				for received.Load() < sent-8 {
					runtime.Gosched()
				}
				for !m.deliver(f) {
					runtime.Gosched()
				}
				m.tell(receiveQueue)
			}
		})
		var batch [8]nic.Frame
		for received.Load() < frames {
			n := d.Receive(batch[:])
			d.Release(batch[:n])
			received.Add(int64(n))
			if n == 0 && received.Load() < frames && d.Arm() {
				if err := d.Wait(); err != nil {
					t.Fatal(err)
				}
			}
		}
		wg.Wait()
	})
}

func TestWaitEndsWithClose(t *testing.T) {
	d := openModel(t, newModel(everything), options{})
	waiting := make(chan error)
	go func() { waiting <- d.Wait() }()
	d.Close()
	if err := <-waiting; err != nic.ErrClosed {
		t.Errorf("Wait = %v; want %v", err, nic.ErrClosed)
	}
}

// TestMissedKick checks that a device that missed a kick gets another one, and
// only one.
func TestMissedKick(t *testing.T) {
	m := newModel(featVersion1 | featEventIdx | featMrgRxbuf)
	d := openModel(t, m, options{})
	p := []nic.Packet{{Head: make([]byte, 60)}}
	m.wantKick(sendQueue, true)
	d.Send(p) // the device sleeps through this one
	before := m.kicks[sendQueue]
	for range sendSlack - 1 {
		d.Send(p)
	}
	if got := m.kicks[sendQueue] - before; got != 0 {
		t.Errorf("%d kicks of a device that is merely slow; want none", got)
	}
	for range 3 {
		d.Send(p)
	}
	if got := m.kicks[sendQueue] - before; got != 1 {
		t.Errorf("%d kicks of a device that missed one; want 1", got)
	}
	m.wantKick(receiveQueue, true) // at the first buffer, though all are published
	before = m.kicks[receiveQueue]
	for range 3 {
		d.Arm()
	}
	if got := m.kicks[receiveQueue] - before; got != 1 {
		t.Errorf("%d kicks for buffers that the device waits for; want 1", got)
	}
}

// TestOldWish has a device wait at a position, and go past it by itself: it gets its kick for the
// next packet all the same, and one at the most.
func TestOldWish(t *testing.T) {
	m := newModel(featVersion1 | featEventIdx | featPacked)
	d := openModel(t, m, options{})
	p := []nic.Packet{{Head: make([]byte, 60)}}
	for round := range 1000 {
		m.wantKick(sendQueue, true)
		before := m.kicks[sendQueue]
		d.Send(p)
		if got := m.kicks[sendQueue] - before; got != 1 {
			t.Fatalf("round %d: %d kicks of a device that waits; want 1", round, got)
		}
		m.sent(true)
		for range 5 {
			d.Send(p)
		}
		if got := m.kicks[sendQueue] - before; got != 2 {
			t.Fatalf("round %d: %d kicks of a device that waits behind where it is; want 1", round, got-1)
		}
		for range 5 {
			m.sent(true)
		}
	}
}
