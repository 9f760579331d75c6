//go:build !metal

package tsc

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"nuos/kernel/internal/x86"
)

// pairOfProcessors are two that meet. Their counters have a tick for each reading, so that
// an answer does not take many.
type pairOfProcessors struct {
	x86.Model
	m     *Meeting
	count atomic.Uint64
	ahead int64 // how much the counter of the one who answers is
}

func (p *pairOfProcessors) Pause() { runtime.Gosched() }

func (p *pairOfProcessors) ReadTSC() uint64 {
	v := p.count.Add(1)
	if p.m.asked.Load() != p.m.answered.Load() { // it is the answer
		v += uint64(p.ahead)
	}
	return v
}

func TestMeeting(t *testing.T) {
	for _, c := range []struct {
		ahead int64
		same  bool
	}{{0, true}, {1 << 40, false}, {-1 << 40, false}, {3, false}, {-3, false}} {
		var m Meeting
		p := &pairOfProcessors{m: &m, ahead: c.ahead}
		p.count.Store(1 << 50)
		x86.Machine = p
		for processor := range 3 { // one after the other
			var other sync.WaitGroup
			other.Go(m.Answer)
			if got := m.Ask(); got != c.same {
				t.Errorf("processor %d, %d ticks ahead: the same: %t, want %t", processor, c.ahead, got, c.same)
			}
			other.Wait()
		}
	}
}
