package proclet

import (
	"sync"
	"sync/atomic"
	"time"
)

// gate counts the calls inside a proclet and can be closed to new ones.
//
// The word holds, from bit 0, how many calls are inside, whether the gate is
// closed, and how many calls have ever entered. A closed gate with nobody inside
// stays so until it is opened: nobody enters a closed gate except a chain of
// calls that is inside already and comes back, which is possible only while
// somebody is inside.
type gate struct {
	word    atomic.Uint64
	changes atomic.Pointer[chan struct{}] // gets one when fewer are inside the closed gate; see until

	mu      sync.Mutex
	opened  chan struct{} // closed when the gate is open again, or of no use any more; nil while open
	drained chan struct{} // closed when nobody is inside the closed gate
	ended   bool          // the proclet does not live here any more; the gate stays closed
}

const (
	gateInside = 1<<23 - 1
	gateClosed = 1 << 23
	gateEntry  = 1<<24 + 1 // one more entered, one more inside
)

// enter lets a call in, unless the gate is closed. A call that comes back to a
// proclet that its chain is inside of gets in even then: it would otherwise wait
// for the call that waits for it.
func (g *gate) enter(comesBack bool) bool {
	for {
		w := g.word.Load()
		if w&gateClosed != 0 && (!comesBack || w&gateInside == 0) {
			return false
		}
		if g.word.CompareAndSwap(w, w+gateEntry) {
			return true
		}
	}
}

// leave lets a call out.
func (g *gate) leave() {
	if w := g.word.Add(^uint64(0)); w&gateClosed != 0 {
		g.lessened(w)
	}
}

// uncount lets somebody out who was no call after all.
func (g *gate) uncount() { g.out(gateEntry) }

func (g *gate) out(less uint64) {
	if w := g.word.Add(-less); w&gateClosed != 0 {
		g.lessened(w)
	}
}

// lessened is what follows when somebody has left the closed gate, whose word is w.
func (g *gate) lessened(w uint64) {
	if w&gateInside == 0 {
		g.emptied()
	}
	g.changed()
}

// changed has whoever waits for that look again who is inside.
func (g *gate) changed() {
	if c := g.changes.Load(); c != nil {
		select {
		case *c <- struct{}{}:
		default:
		}
	}
}

// until waits until what is said of those inside the closed gate is true.
func (g *gate) until(so func() bool) {
	changes := make(chan struct{}, 1)
	g.changes.Store(&changes)
	for !so() {
		<-changes
	}
}

// emptied tells whoever has closed the gate that nobody is inside any more.
func (g *gate) emptied() {
	g.mu.Lock()
	defer g.mu.Unlock()
	// The gate may have been opened meanwhile, and closed again.
	if w := g.word.Load(); w&(gateClosed|gateInside) == gateClosed {
		closeOnce(g.drained)
	}
}

// entered returns how many calls have ever entered.
func (g *gate) entered() uint64 { return g.word.Load() >> 24 }

// wait returns when a closed gate may be worth another try.
func (g *gate) wait() {
	g.mu.Lock()
	opened := g.opened
	g.mu.Unlock()
	if opened != nil {
		<-opened
	}
}

// close closes the gate and waits until nobody is inside. If that takes longer
// than bound it opens the gate again and returns ErrBusy. It also returns ErrBusy
// if the gate is closed already, and ErrNoProclet if it is so for ever. A
// negative bound is none.
func (g *gate) close(bound time.Duration) error {
	drained, err := g.shut()
	if err != nil {
		return err
	}
	if err = g.empty(drained, bound, nil); err != nil {
		g.open()
	}
	return err
}

// shut closes the gate. The channel is closed when nobody is inside any more.
func (g *gate) shut() (drained <-chan struct{}, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.ended:
		return nil, ErrNoProclet
	case g.opened != nil:
		return nil, ErrBusy
	}
	g.opened, g.drained = make(chan struct{}), make(chan struct{})
	if w := g.word.Or(gateClosed); w&gateInside == 0 {
		closeOnce(g.drained)
	}
	return g.drained, nil
}

// empty waits until nobody is inside the closed gate. It gives up with ErrBusy
// after bound, unless that is negative, and with an error that comes from refused.
func (g *gate) empty(drained <-chan struct{}, bound time.Duration, refused <-chan error) error {
	select {
	case <-drained: // no timer for the usual case
		return nil
	default:
	}
	var expired <-chan time.Time
	if bound >= 0 {
		timer := time.NewTimer(bound)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-drained:
		return nil
	case err := <-refused:
		return err
	case <-expired:
		return ErrBusy
	}
}

// nudge makes those who wait at the closed gate try again.
func (g *gate) nudge() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.opened)
	g.opened = make(chan struct{})
}

// count counts n more inside, who have not entered: frozen threads. uncountFrozen
// is its inverse.
func (g *gate) count(n uint64)         { g.word.Add(n) }
func (g *gate) uncountFrozen(n uint64) { g.out(n) }

// inside returns how many are inside.
func (g *gate) inside() uint64 { return g.word.Load() & gateInside }

// open opens a closed gate.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened == nil || g.ended {
		return
	}
	g.word.And(^uint64(gateClosed))
	close(g.opened)
	g.opened, g.drained = nil, nil
}

// end makes those who wait at a closed, drained gate look elsewhere.
func (g *gate) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.ended {
		g.ended = true
		close(g.opened)
	}
}

// closed reports whether the gate is closed.
func (g *gate) closed() bool { return g.word.Load()&gateClosed != 0 }

func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

// isEnded reports whether the proclet has left for good.
func (g *gate) isEnded() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ended
}
