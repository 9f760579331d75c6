package port

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"nuos/drivers/nic"
	"nuos/drivers/nic/nictest"
)

const testType = 0x88b5 // IEEE 802 local experimental

func frame(to, from nic.MAC, kind byte, n uint32) []byte {
	f := append(append([]byte{}, to[:]...), from[:]...)
	f = append(f, testType>>8, testType&0xff, kind)
	return binary.BigEndian.AppendUint32(f, n)
}

// ofKind matches the frames that frame makes with that kind.
func ofKind(kind byte) func([]byte) bool {
	return func(f []byte) bool {
		return len(f) >= 19 && binary.BigEndian.Uint16(f[12:]) == testType && f[14] == kind
	}
}

func number(f []byte) uint32 { return binary.BigEndian.Uint32(f[15:]) }

func pair(t testing.TB, o nictest.Options) (seg *nictest.Segment, a, b *Port) {
	seg = nictest.New(t, o)
	a, b = New(seg.Attach(), netip.Prefix{}), New(seg.Attach(), netip.Prefix{})
	t.Cleanup(func() { a.Close(); b.Close() })
	return seg, a, b
}

func send(t *testing.T, from *Port, f []byte) {
	t.Helper()
	if n := from.Send([]nic.Packet{{Head: f}}); n != 1 {
		t.Fatalf("Send = %d; want 1", n)
	}
}

func TestFirstClaimWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pair(t, nictest.Options{})
		got := map[string][]uint32{}
		note := func(who string) func([]byte) {
			return func(f []byte) { got[who] = append(got[who], number(f)) }
		}
		cancelFirst := b.Claim(ofKind(1), note("first"))
		b.Claim(ofKind(1), note("second"))
		b.Claim(ofKind(2), note("other"))
		say := func(kind byte, n uint32) {
			send(t, a, frame(b.MAC(), a.MAC(), kind, n))
			synctest.Wait() // the pump parks when it has delivered
		}
		say(1, 10)
		say(2, 11)
		say(3, 12)
		if b.Unclaimed() != 1 {
			t.Errorf("Unclaimed = %d; want 1", b.Unclaimed())
		}
		cancelFirst()
		say(1, 13)
		cancelRest := b.ClaimRest(note("rest"))
		say(3, 14)
		cancelRest()
		say(3, 15)
		for who, want := range map[string][]uint32{"first": {10}, "second": {13}, "other": {11}, "rest": {14}} {
			if !slices.Equal(got[who], want) {
				t.Errorf("%s got %v; want %v", who, got[who], want)
			}
		}
		if b.Unclaimed() != 2 {
			t.Errorf("Unclaimed = %d; want 2", b.Unclaimed())
		}
		a.Close()
		b.Close()
	})
}

// TestPingPong has each side answer from deliver, so that only the pumps run.
func TestPingPong(t *testing.T) {
	_, a, b := pair(t, nictest.Options{})
	const rounds = 2000
	done := make(chan struct{})
	b.Claim(ofKind(1), func(f []byte) {
		send(t, b, frame(a.MAC(), b.MAC(), 1, number(f)))
	})
	a.Claim(ofKind(1), func(f []byte) {
		if n := number(f); n == rounds {
			close(done)
		} else {
			send(t, a, frame(b.MAC(), a.MAC(), 1, n+1))
		}
	})
	send(t, a, frame(b.MAC(), a.MAC(), 1, 1))
	<-done
}

// TestManyPollersKeepOrder has several goroutines poll against the pump while
// several send: every frame arrives once, and those of one sender in order.
func TestManyPollersKeepOrder(t *testing.T) {
	_, a, b := pair(t, nictest.Options{Queue: 1 << 16})
	const senders, each = 4, 5000
	var next [senders]uint32 // written under b's receiving lock
	var arrived atomic.Uint32
	b.Claim(func([]byte) bool { return true }, func(f []byte) {
		if who := f[14]; number(f) != next[who] {
			t.Errorf("sender %d: frame %d; want %d", who, number(f), next[who])
		} else {
			next[who]++
		}
		arrived.Add(1)
	})
	var wg sync.WaitGroup
	for who := range byte(senders) {
		wg.Go(func() {
			for n := range uint32(each) {
				for a.Send([]nic.Packet{{Head: frame(b.MAC(), a.MAC(), who, n)}}) == 0 {
					runtime.Gosched()
				}
			}
		})
		wg.Go(func() {
			for arrived.Load() < senders*each && !t.Failed() {
				b.Poll()
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	if queued, done := a.Completed(); queued != senders*each || done != queued {
		t.Errorf("Completed = %d, %d; want %d of both", queued, done, senders*each)
	}
}

func TestPanicInClaimantLosesNothing(t *testing.T) {
	seg := nictest.New(t, nictest.Options{})
	peer := seg.Attach()
	dev := seg.Attach()
	// No pump: the panic must come out of this goroutine's Poll.
	p := &Port{dev: dev, info: dev.Info(), pumped: make(chan struct{})}
	close(p.pumped)
	p.Claim(ofKind(1), func([]byte) { panic("claimant") })
	peer.Send([]nic.Packet{{Head: frame(p.MAC(), peer.Info().MAC, 1, 0)}})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Poll did not panic")
			}
		}()
		p.Poll()
	}()
	peer.Send([]nic.Packet{{Head: frame(p.MAC(), peer.Info().MAC, 2, 0)}})
	if n := p.Poll(); n != 1 {
		t.Errorf("Poll after a panic = %d; want 1", n)
	}
}

func TestClose(t *testing.T) {
	_, a, b := pair(t, nictest.Options{})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					a.Send([]nic.Packet{{Head: frame(b.MAC(), a.MAC(), 1, 0)}})
					b.Poll()
				}
			}
		})
	}
	for range 3 {
		if err := b.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if n := b.Send([]nic.Packet{{Head: frame(a.MAC(), b.MAC(), 1, 0)}}); n != 0 {
		t.Errorf("Send on a closed port = %d; want 0", n)
	}
	if n := b.Poll(); n != 0 {
		t.Errorf("Poll on a closed port = %d; want 0", n)
	}
	close(stop)
	wg.Wait()
	queued, _ := a.Completed()
	a.Close()
	if q, done := a.Completed(); q != queued || done != queued {
		t.Errorf("Completed on a closed port = %d, %d; want %d of both", q, done, queued)
	}
}

// TestVirtualTime shows that a port may live in a bubble: an hour of silence
// with the pump parked takes no time.
func TestVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seg, a, b := pair(t, nictest.Options{})
		seg.SetFaults(nictest.Faults{Delay: time.Hour})
		got := make(chan time.Time)
		b.Claim(ofKind(1), func([]byte) { got <- time.Now() })
		begin := time.Now()
		send(t, a, frame(b.MAC(), a.MAC(), 1, 0))
		if d := (<-got).Sub(begin); d != time.Hour {
			t.Errorf("frame arrived after %v; want 1h", d)
		}
		a.Close()
		b.Close()
	})
}

func TestNoAllocation(t *testing.T) {
	seg := nictest.New(t, nictest.Options{})
	peer := seg.Attach()
	p := New(seg.Attach(), netip.Prefix{})
	defer p.Close()
	var arrived atomic.Uint32
	p.Claim(ofKind(1), func([]byte) { arrived.Add(1) })
	to := []nic.Packet{{Head: frame(p.MAC(), peer.Info().MAC, 1, 0)}}
	from := []nic.Packet{{Head: frame(peer.Info().MAC, p.MAC(), 1, 0)}}
	var back [1]nic.Frame
	round := func() {
		want := arrived.Load() + 1
		peer.Send(to)
		for arrived.Load() != want {
			p.Poll()
		}
		p.Send(from)
		for peer.Receive(back[:]) == 0 {
		}
		peer.Release(back[:])
	}
	round() // the segment makes its buffers
	if n := testing.AllocsPerRun(1000, round); n != 0 {
		t.Errorf("a frame in and a frame out allocate %v times; want 0", n)
	}
}
