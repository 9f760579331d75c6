package proclet

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"nuos/rack"
)

// What is always true in a simulated rack when everybody is blocked, and at its end.

// residents returns the proclets of the world, by address.
func (w *simWorld) residents() (all []*resident) {
	testMu.Lock()
	defer testMu.Unlock()
	for _, m := range w.machines {
		for r := range m.leased {
			if s := residentSlot(uint64(r.Base), false); s != nil && s.Load() != nil {
				all = append(all, s.Load())
			}
		}
	}
	slices.SortFunc(all, func(a, b *resident) int { return int(int64(a.id.Addr - b.id.Addr)) })
	return all
}

// host is the machine of a runtime of this world.
func (w *simWorld) host(rt *Runtime) *simMachine {
	for _, m := range w.machines {
		if m.rt == rt {
			return m
		}
	}
	return nil
}

func (w *simWorld) check() {
	if w.stopped > 0 {
		return // somebody is in the middle of it
	}
	for _, ref := range w.subjects {
		s := residentSlot(ref.id.Addr, false)
		if r := s.Load(); (r == nil || r.id != ref.id) && !slices.Contains(w.gone, ref.id) {
			w.breaks("%s lives nowhere", w.names[ref.id])
		}
	}
	for _, r := range w.residents() {
		if r.frozen == nil && !w.host(r.rt).dead {
			w.checkFrozen(r)
		}
	}
	attached.mu.Lock()
	all := slices.Clone(attached.all)
	attached.mu.Unlock()
	for _, t := range all {
		m := w.host((*runtimes.Load())[t.rt])
		if m == nil || m.dead {
			continue
		}
		for _, addr := range t.entered[:t.depth] {
			if r := residentSlot(addr, false).Load(); r == nil || r.rt != m.rt {
				w.breaks("a thread at %v is inside %x, which is not there", m, addr)
			}
		}
	}
}

// checkFrozen looks at the frozen threads of a proclet whose bytes may change.
func (w *simWorld) checkFrozen(r *resident) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := uint64(0)
	for z := r.head.frozen.first; z != nil; z = z.next {
		n++
		if z.waiter != nil && z.waiter.frozen != z {
			w.breaks("%s: a frozen thread is not its waiter's", w.names[r.id])
		}
		if r.leaving.Load() == nil && !r.gate.closed() && (z.waiter == nil || z.waiter.woken.Load()) {
			w.breaks("%s: a thread that could run is frozen", w.names[r.id])
		}
	}
	if n != r.head.frozen.n || r.leaving.Load() == nil && r.gate.inside() < n {
		w.breaks("%s: %d threads are frozen of %d, %d inside", w.names[r.id], n, r.head.frozen.n, r.gate.inside())
	}
}

// finish ends what is under way, without any more faults, and checks what is left.
func (w *simWorld) finish() {
	for _, m := range w.machines {
		if m.cut && !m.dead {
			w.endCut(m, w.rng.IntN(2) == 0)
		}
		if m.dead && !m.fenced {
			w.fence(m)
		}
	}
	// Whoever waits for tokens gets some: one signal for each.
	w.everywhere(func(m *simMachine, ref Ref[subject]) {
		_, err := Call(m.rt.Current(), ref, (*subject).Put, 300)
		w.kept(err)
	})
	if !w.settle(10*time.Minute, w.ended) {
		w.stuck()
		return
	}
	if w.checkTasks(); w.failed() {
		return
	}
	w.everywhere(func(m *simMachine, ref Ref[subject]) {
		_, err := Call(m.rt.Current(), ref, (*subject).Clear, struct{}{})
		w.kept(err)
	})
	if !w.settle(10*time.Minute, func() bool { return w.ended() && w.idle() == "" }) {
		w.breaks("machines have not come to rest: %s", w.idle())
		return
	}
	w.checkRest()
}

// ended reports whether everything has ended that was begun.
func (w *simWorld) ended() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.tasks {
		if s := residentSlot(k.to.Addr, false).Load(); k.begun > k.ended && s != nil && !w.host(s.rt).dead {
			return false
		}
	}
	callers, moves := w.busy()
	return callers+moves+w.stopped == 0
}

// everywhere has a machine do something with each subject: the one that it was lost with, if
// it was. What goes on there would be nobody's concern, if its threads were not where
// those of the other machines are as well, which wait for their places.
func (w *simWorld) everywhere(f func(m *simMachine, ref Ref[subject])) {
	for _, ref := range w.subjects {
		m := w.live()
		if r := residentSlot(ref.id.Addr, false).Load(); r != nil && w.host(r.rt).dead {
			m = w.host(r.rt)
		}
		w.mu.Lock()
		m.callers++
		w.mu.Unlock()
		go func() {
			defer m.left()
			f(m, ref)
		}()
	}
}

// idle says what machines still have to do.
func (w *simWorld) idle() string {
	for _, m := range w.machines {
		if m.dead {
			continue
		}
		m.rt.releases.mu.Lock()
		idle := m.rt.releases.idle()
		m.rt.releases.mu.Unlock()
		if !idle {
			return fmt.Sprintf("%v has counts to give back", m)
		}
		m.rt.slots.mu.Lock()
		n := 0
		for _, t := range m.rt.slots.targets {
			if t.live > 0 {
				n++
			}
		}
		m.rt.slots.mu.Unlock()
		if n > 0 {
			return fmt.Sprintf("%v has slots for %d proclets", m, n)
		}
	}
	return ""
}

// stuck says who waits for ever.
func (w *simWorld) stuck() {
	var tasks []string
	for i, k := range w.tasks {
		if k.begun > k.ended || !k.told {
			tasks = append(tasks, fmt.Sprintf("%d in %s (%d begun, %d ended)", i, w.names[k.to], k.begun, k.ended))
		}
	}
	callers, moves := w.busy()
	w.breaks("%d callers and %d moves wait for ever; tasks %s", callers, moves, strings.Join(tasks, ", "))
	for _, r := range w.residents() {
		r.mu.Lock()
		for z := r.head.frozen.first; z != nil; z = z.next {
			w.say("%s: the thread at %p is frozen: %+v", w.names[r.id], z.thread, z.waiter)
		}
		r.mu.Unlock()
	}
	attached.mu.Lock()
	for t, all := range attached.resume {
		w.say("%d parts of the thread at %p wait for it: guards %d, kicked %v, in %s", len(all), t, t.guards, t.fiber.Kicked(), w.names[t.id])
	}
	attached.mu.Unlock()
	b := make([]byte, 1<<20)
	b = b[:runtime.Stack(b, true)]
	attached.mu.Lock()
	defer attached.mu.Unlock()
	for _, g := range strings.Split(string(b), "\n\n") {
		if slices.ContainsFunc(attached.all, func(t *Thread) bool {
			return w.host(t.runtime()) != nil && strings.Contains(g, fmt.Sprintf("(%p", t))
		}) || strings.Contains(g, "migrate.(*Migrator).Move") {
			w.trace = append(w.trace, g)
		}
	}
}

// checkTasks compares what callers were told with what the proclets have counted.
func (w *simWorld) checkTasks() {
	var p *PanicError
	for i, k := range w.tasks {
		low, high := 0, 1
		switch {
		case k.posted:
			if w.doubts == 0 && len(w.gone) == 0 && !w.anyDead() {
				low = 1
			}
		case !k.told || k.ignored, errors.Is(k.err, ErrMaybeExecuted):
		case k.err == nil, errors.As(k.err, &p), errors.Is(k.err, ErrExited), errors.Is(k.err, errSimulated):
			low = 1
		case errors.Is(k.err, ErrNoProclet), errors.Is(k.err, ErrLost), errors.Is(k.err, ErrDeadline), errors.Is(k.err, ErrCancelled),
			errors.Is(k.err, rack.ErrUnreachable):
			high = 0
		default:
			w.breaks("task %d ended with %v", i, k.err)
		}
		r := residentSlot(k.to.Addr, false).Load()
		if k.begun < low || k.begun > high {
			w.breaks("task %d was executed %d times; its caller was told: %v", i, k.begun, k.err)
		}
		if r == nil || r.id != k.to || w.host(r.rt).dead {
			continue
		}
		if counted := int((*subject)(r.state).ledger[i]); counted != k.begun && !w.anyDead() {
			w.breaks("task %d was executed %d times, and %s has counted %d", i, k.begun, w.names[k.to], counted)
		}
		if k.begun != k.ended {
			w.breaks("task %d has not ended", i)
		}
	}
}

func (w *simWorld) anyDead() bool {
	return slices.ContainsFunc(w.machines, func(m *simMachine) bool { return m.dead })
}
