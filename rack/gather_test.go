package rack

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"nuos/drivers/nic/nictest"
)

// chains has n calls under way, each of which is followed by the next when it is answered, and
// returns how many frames both machines have sent for how many calls.
func chains(t *testing.T, n, length int) (frames, calls int) {
	a, b, _ := pair(t, nictest.Options{}, nictest.Faults{})
	echo(b, true)
	s := a.to(b)
	s.keepOpen()
	synctest.Wait()
	before := s.stats().FramesOut + b.to(a).stats().FramesOut
	var left atomic.Int64
	left.Store(int64(n))
	var next func(i int) func([]byte, error)
	next = func(i int) func([]byte, error) {
		return func(_ []byte, err error) {
			if err != nil {
				t.Error(err)
			}
			if i == length {
				left.Add(-1)
			} else if !s.begin(ServiceUser, []byte{1}, next(i+1)) {
				t.Error("a call cannot be begun")
			}
		}
	}
	for range n {
		if !s.begin(ServiceUser, []byte{1}, next(1)) {
			t.Fatal("a call cannot be begun")
		}
	}
	for range 1000 {
		if left.Load() == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if left.Load() != 0 {
		t.Fatalf("%d of %d chains have not ended", left.Load(), n)
	}
	return int(s.stats().FramesOut + b.to(a).stats().FramesOut - before), n * length
}

// TestMessagesTravelTogether counts frames: those of calls that are under way at the same time
// share them. A single call has its own. On one processor, where what one machine sends has gathered
// before the other one looks.
func TestMessagesTravelTogether(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, c := range []struct {
		callers   int
		at1, most float64 // frames for a call
	}{{1, 2, 2.3}, {2, 2, 2.3}, {64, 0.2, 0.6}} {
		synctest.Test(t, func(t *testing.T) {
			frames, calls := chains(t, c.callers, 100)
			per := float64(frames) / float64(calls)
			t.Logf("%d callers: %.2f frames for a call", c.callers, per)
			if per < c.at1 || per > c.most {
				t.Errorf("%d callers: %d frames for %d calls; want %v to %v for each", c.callers, frames, calls, c.at1, c.most)
			}
		})
	}
}

// TestSlowGathering has messages wait for others for too long: then they go at once for a while.
func TestSlowGathering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := pair(t, nictest.Options{}, nictest.Faults{})
		s := a.to(b)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range []struct {
			took time.Duration
			want int
		}{{gatherTime, 0}, {gatherTime + 1, gatherPause}} {
			s.together, s.since = 3, a.now()
			time.Sleep(c.took)
			s.gathered(a.now())
			if s.pause != c.want || s.together != 0 {
				t.Errorf("after %v, %d messages go at once; want %d", c.took, s.pause, c.want)
			}
		}
	})
}
