package rack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"nuos/drivers/nic/nictest"
	"nuos/mm"
)

// TestPush announces transfers with a request and sends them without waiting, to a handler that
// takes them on the poller, and to one that comes later, when what was sent first is lost.
func TestPush(t *testing.T) {
	for _, w := range weather {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/late=%v", w.name, late), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b, _ := pair(t, nictest.Options{MTU: 9000}, w.faults)
					var transfer uint64
					var dst []byte
					b.handle(ServiceUser, handler{func(q Request) {
						take := func() {
							b.to(a).beginReceive(transfer, scatter(dst, 2), late, func(err error) {
								if err != nil {
									q.Fail(err)
								} else {
									q.Reply(nil)
								}
							})
						}
						if late {
							time.AfterFunc(5*time.Millisecond, take)
						} else {
							take()
						}
					}, true})
					s := a.to(b)
					for i, n := range []int{0, 1, 4096, 8193, pushBytes, pushBytes + 8192, 1<<20 + 17} {
						src := noise(n, uint64(i))
						transfer, dst = uint64(i+1), make([]byte, n)
						answer := make(chan error, 1)
						for !s.begin(ServiceUser, nil, func(_ []byte, err error) { answer <- err }) {
							s.keepOpen()
							time.Sleep(time.Millisecond)
						}
						if err := s.pushBulk(t.Context(), transfer, scatter(src, i)); err != nil {
							t.Errorf("PushBulk of %d bytes: %v", n, err)
						}
						if err := <-answer; err != nil {
							t.Errorf("BeginReceive of %d bytes: %v", n, err)
						}
						if !bytes.Equal(src, dst) {
							t.Errorf("%d bytes arrived altered", n)
						}
					}
					if repeated := s.stats().Repeated; !late && w.faults == (nictest.Faults{}) && repeated != 0 {
						t.Errorf("%d packets were sent again for no reason", repeated)
					}
					if late && s.stats().Repeated == 0 {
						t.Error("nothing was sent again of what came too early")
					}
					if a, b := a.to(b), b.to(a); len(a.out)+len(b.in)+len(a.early)+len(b.early) != 0 {
						t.Error("transfers are left over")
					}
					if n := b.incoming.Load(); n != 0 {
						t.Errorf("%d transfers are counted still", n)
					}
				})
			})
		}
	}
}

// TestPushAborts gives up transfers that nobody waits for, and pushes to nobody.
func TestPushAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := pair(t, nictest.Options{}, nictest.Faults{Delay: time.Millisecond})
		a.to(b).keepOpen()
		synctest.Wait()
		mem := noise(1<<20, 1)
		ranges := []mm.Range{rangeOf(mem)}
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := a.to(b).pushBulk(short, 1, ranges); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("PushBulk to nobody = %v", err)
		}
		got := make(chan error, 1)
		b.to(a).beginReceive(2, []mm.Range{rangeOf(make([]byte, 1<<20))}, false, func(err error) { got <- err })
		time.Sleep(10 * time.Millisecond)
		b.to(a).abortReceive(2)
		if err := <-got; !errors.Is(err, ErrAborted) {
			t.Errorf("aborted BeginReceive = %v", err)
		}
		if err := a.to(b).pushBulk(t.Context(), 2, ranges); !errors.Is(err, ErrAborted) {
			t.Errorf("PushBulk to one that gave up = %v", err)
		}
		b.to(a).beginReceive(3, []mm.Range{rangeOf(make([]byte, 5000))}, true, func(err error) { got <- err })
		if err := a.to(b).pushBulk(t.Context(), 3, ranges); !errors.Is(err, ErrBulkSize) {
			t.Errorf("PushBulk of the wrong size = %v", err)
		}
		if err := <-got; !errors.Is(err, ErrBulkSize) {
			t.Errorf("BeginReceive of the wrong size = %v", err)
		}
		b.to(a).beginReceive(4, ranges, false, func(err error) { got <- err })
		b.to(a).close(ErrLost)
		if err := <-got; !errors.Is(err, ErrLost) {
			t.Errorf("BeginReceive from a machine that died = %v", err)
		}
	})
}
