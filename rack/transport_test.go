package rack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"nuos/drivers/nic"
	"nuos/drivers/nic/nictest"
	"nuos/drivers/nic/port"
	"nuos/mm"
)

// pair is two endpoints that will talk to anybody with the key.
func pair(t testing.TB, o nictest.Options, f nictest.Faults) (a, b *endpoint, seg *nictest.Segment) {
	t.Helper()
	seg = nictest.New(t, o)
	seg.SetFaults(f)
	return member(t, seg.Attach(), 1), member(t, seg.Attach(), 2), seg
}

// member is a machine with a number on a card.
func member(t testing.TB, card nic.Device, id uint32) *endpoint {
	p := port.New(card, netip.Prefix{})
	e := newEndpoint(p, newAuthenticator("test", "key"), "build", 12)
	e.admit = func(*greeting) error { return nil }
	e.control = func(kind, *greeting) {}
	e.verifyBulk = true
	e.role.Store(uint32(roleMember))
	e.id.Store(id)
	e.listen()
	t.Cleanup(func() {
		e.close(ErrClosed)
		p.Close()
	})
	return e
}

func (e *endpoint) to(o *endpoint) *session { return e.session(o.nonce, o.mac, o.port.Addr().Addr()) }

func echo(e *endpoint, inline bool) {
	e.handle(ServiceUser, handler{func(q Request) { q.Reply(q.Data) }, inline})
}

// noise is a message of n bytes that differs from every other.
func noise(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func rangeOf(b []byte) mm.Range {
	if len(b) == 0 {
		return mm.Range{}
	}
	return mm.Range{Base: mm.Virt(uintptr(unsafe.Pointer(&b[0]))), Size: uint64(len(b))}
}

var weather = []struct {
	name   string
	faults nictest.Faults
}{
	{"clear", nictest.Faults{}},
	{"delay", nictest.Faults{Delay: 3 * time.Millisecond, Jitter: time.Millisecond}},
	{"loss 1%", nictest.Faults{Loss: .01}},
	{"loss 20%", nictest.Faults{Loss: .2}},
	{"repeats", nictest.Faults{Duplicate: .3}},
	{"disorder", nictest.Faults{Reorder: .2}},
	{"corruption", nictest.Faults{Corrupt: .1, Truncate: .05}},
	{"storm", nictest.Faults{Loss: .1, Duplicate: .1, Reorder: .1, Corrupt: .05, Truncate: .02, Jitter: time.Millisecond}},
}

func TestCalls(t *testing.T) {
	for _, w := range weather {
		for _, mtu := range []int{1500, 9000} {
			t.Run(fmt.Sprintf("%s/%d", w.name, mtu), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b, _ := pair(t, nictest.Options{MTU: mtu}, w.faults)
					echo(a, true)
					var runs atomic.Uint64
					b.handle(ServiceUser, handler{func(q Request) {
						runs.Add(1)
						q.Reply(q.Data)
					}, false})
					sizes := []int{0, 1, 100, 1400, 1500, 9000, 70000, MaxMessage}
					var wg sync.WaitGroup
					for i, n := range sizes {
						for j := range 10 {
							if n == MaxMessage && j > 0 {
								continue
							}
							wg.Go(func() {
								want := noise(n, uint64(i*100+j))
								got, err := a.to(b).call(t.Context(), ServiceUser, want)
								if err != nil || !bytes.Equal(got, want) {
									t.Errorf("call of %d bytes = %d bytes, %v", n, len(got), err)
								}
								got, err = b.to(a).call(t.Context(), ServiceUser, want)
								if err != nil || !bytes.Equal(got, want) {
									t.Errorf("call back of %d bytes = %d bytes, %v", n, len(got), err)
								}
							})
						}
					}
					wg.Wait()
					if got, want := runs.Load(), uint64(10*(len(sizes)-1)+1); got != want {
						t.Errorf("the handler ran %d times; want %d", got, want)
					}
					t.Logf("a to b: %+v", a.to(b).stats())
				})
			})
		}
	}
}

func TestBulk(t *testing.T) {
	for _, w := range weather {
		for _, mtu := range []int{1500, 9000} {
			t.Run(fmt.Sprintf("%s/%d", w.name, mtu), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b, _ := pair(t, nictest.Options{MTU: mtu}, w.faults)
					for i, n := range []int{0, 1, 63, 4096, 8193, 64 << 10, 1<<20 + 17} {
						src, dst := noise(n, uint64(i)), make([]byte, n)
						var wg sync.WaitGroup
						transfer := uint64(i + 1)
						wg.Go(func() {
							if i%2 == 0 {
								time.Sleep(5 * time.Millisecond)
							}
							if err := a.to(b).sendBulk(t.Context(), transfer, scatter(src, i)); err != nil {
								t.Errorf("SendBulk of %d bytes: %v", n, err)
							}
						})
						wg.Go(func() {
							if i%3 == 0 {
								time.Sleep(5 * time.Millisecond)
							}
							if err := b.to(a).receiveBulk(t.Context(), transfer, scatter(dst, i+1)); err != nil {
								t.Errorf("ReceiveBulk of %d bytes: %v", n, err)
							}
							if !bytes.Equal(src, dst) {
								t.Errorf("%d bytes arrived altered", n)
							}
						})
						wg.Wait()
					}
					if a, b := a.to(b), b.to(a); len(a.out)+len(b.in)+len(a.early)+len(b.early) != 0 {
						t.Error("transfers are left over")
					}
					t.Logf("b from a: %+v", b.to(a).stats())
				})
			})
		}
	}
}

// scatter cuts b into pieces, the more the higher n is.
func scatter(b []byte, n int) (r []mm.Range) {
	for i := 0; i < n%4 && len(b) > 100; i++ {
		cut := len(b) / 3
		r = append(r, rangeOf(b[:cut]))
		b = b[cut:]
	}
	return append(r, rangeOf(b))
}

// TestBegin makes calls that nobody waits for, up to the last credit, and loses those
// under way.
func TestBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, seg := pair(t, nictest.Options{}, nictest.Faults{})
		var mu sync.Mutex
		var requests []Request
		b.handle(ServiceUser, handler{func(q Request) {
			mu.Lock()
			defer mu.Unlock()
			requests = append(requests, q)
		}, true})
		s := a.to(b)
		if s.begin(ServiceUser, nil, func([]byte, error) {}) {
			t.Error("begin has sent a request in a session that is not open")
		}
		s.keepOpen()
		synctest.Wait()
		if s.begin(ServiceUser, make([]byte, MaxMessage+1), func([]byte, error) {}) {
			t.Error("begin has sent a request that is too long")
		}
		got := map[string]error{}
		for i := range callCredits {
			if !s.begin(ServiceUser, []byte{byte(i)}, func(reply []byte, err error) {
				mu.Lock()
				defer mu.Unlock()
				got[fmt.Sprint(i, string(reply))] = err
			}) {
				t.Fatalf("begin has not sent request %d", i)
			}
		}
		if s.begin(ServiceUser, nil, func([]byte, error) {}) {
			t.Error("begin has sent a request without a credit")
		}
		time.Sleep(time.Second)
		mu.Lock()
		arrived := requests
		mu.Unlock()
		if len(arrived) != callCredits {
			t.Fatalf("%d requests have arrived of %d", len(arrived), callCredits)
		}
		arrived[0].Reply([]byte(" zero"))
		arrived[1].Fail(ErrNotFound)
		time.Sleep(time.Second)
		if !s.begin(ServiceUser, nil, func([]byte, error) {}) {
			t.Error("begin has not sent a request although one has been answered")
		}
		seg.Partition()
		for range 30 {
			s.tick()
			time.Sleep(250 * time.Millisecond)
		}
		mu.Lock()
		defer mu.Unlock()
		if err, ok := got["0 zero"]; !ok || err != nil {
			t.Errorf("the answered request = %v, %v", ok, err)
		}
		if err := got["1"]; !errors.Is(err, ErrNotFound) {
			t.Errorf("the failed request = %v", err)
		}
		if err := got["2"]; len(got) != callCredits || !errors.Is(err, ErrMaybeExecuted) || !errors.Is(err, ErrUnreachable) {
			t.Errorf("%d requests have ended of %d; the one under way with %v", len(got), callCredits, err)
		}
	})
}

func TestCallFailsWhenPeerIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, seg := pair(t, nictest.Options{}, nictest.Faults{})
		echo(b, false)
		block := make(chan struct{})
		b.handle(ServiceUser+1, handler{func(q Request) { <-block; q.Reply(nil) }, false})
		defer close(block)
		s := a.to(b)
		if _, err := s.call(t.Context(), ServiceUser, nil); err != nil {
			t.Fatal(err)
		}
		errs := make(chan error, 2)
		go func() { _, err := s.call(t.Context(), ServiceUser+1, nil); errs <- err }()
		time.Sleep(time.Second)
		seg.Partition()
		for range 30 {
			s.tick()
			time.Sleep(250 * time.Millisecond)
		}
		if err := <-errs; !errors.Is(err, ErrMaybeExecuted) || !errors.Is(err, ErrUnreachable) {
			t.Errorf("a call under way = %v", err)
		}
		if _, err := s.call(t.Context(), ServiceUser, nil); !errors.Is(err, ErrNotSent) || !errors.Is(err, ErrUnreachable) {
			t.Errorf("a new call = %v", err)
		}
		seg.Heal()
		s.tick()
		time.Sleep(250 * time.Millisecond)
		if _, err := s.call(t.Context(), ServiceUser, nil); err != nil {
			t.Errorf("a call after the partition = %v", err)
		}
		a.fence(b.nonce, b.mac, b.port.Addr().Addr())
		if _, err := s.call(t.Context(), ServiceUser, nil); !errors.Is(err, ErrNotSent) || !errors.Is(err, ErrLost) {
			t.Errorf("a call of a fenced machine = %v", err)
		}
	})
}

func TestBulkAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := pair(t, nictest.Options{}, nictest.Faults{Delay: time.Millisecond})
		mem := noise(1<<20, 1)
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := a.to(b).sendBulk(short, 1, []mm.Range{rangeOf(mem)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("SendBulk to nobody = %v", err)
		}
		errs := make(chan error, 1)
		go func() { errs <- a.to(b).sendBulk(t.Context(), 2, []mm.Range{rangeOf(mem)}) }()
		if err := b.to(a).receiveBulk(t.Context(), 2, []mm.Range{rangeOf(make([]byte, 5000))}); !errors.Is(err, ErrBulkSize) {
			t.Errorf("ReceiveBulk of the wrong size = %v", err)
		}
		if err := <-errs; !errors.Is(err, ErrBulkSize) {
			t.Errorf("SendBulk of the wrong size = %v", err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		go func() { errs <- a.to(b).sendBulk(t.Context(), 3, []mm.Range{rangeOf(mem)}) }()
		if err := b.to(a).receiveBulk(ctx, 3, []mm.Range{rangeOf(mem)}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled ReceiveBulk = %v", err)
		}
		if err := <-errs; !errors.Is(err, ErrAborted) {
			t.Errorf("SendBulk to one that gave up = %v", err)
		}
	})
}

func (s *session) stats() PeerStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// TestCredits keeps every handler busy: no more run than there are credits, and
// system calls pass all the same.
func TestCredits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := pair(t, nictest.Options{}, nictest.Faults{Loss: .01})
		release := make(chan struct{})
		var running, most atomic.Int64
		b.handle(ServiceUser, handler{func(q Request) {
			n := running.Add(1)
			for {
				if old := most.Load(); n <= old || most.CompareAndSwap(old, n) {
					break
				}
			}
			<-release
			running.Add(-1)
			q.Reply(nil)
		}, false})
		b.handle(ServiceMigrate, handler{func(q Request) { q.Reply(nil) }, false})
		var wg sync.WaitGroup
		for range 3 * callCredits {
			wg.Go(func() {
				if _, err := a.to(b).call(t.Context(), ServiceUser, noise(2000, 1)); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(time.Second)
		if got := running.Load(); got != callCredits {
			t.Errorf("%d handlers run; want %d", got, callCredits)
		}
		if _, err := a.to(b).call(t.Context(), ServiceMigrate, nil); err != nil {
			t.Errorf("a system call = %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.to(b).call(ctx, ServiceUser, nil); !errors.Is(err, ErrNotSent) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call without credit = %v", err)
		}
		close(release)
		wg.Wait()
		if got := most.Load(); got != callCredits {
			t.Errorf("%d handlers ran at once; want %d", got, callCredits)
		}
	})
}
