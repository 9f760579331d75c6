//go:build !race

package balance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"nuos/migrate"
	"nuos/proclet"
)

// Under the race detector threads do not move, and what moves is copied by others than it is used by.

// counters calls proclets from all machines, and checks that every call has been executed once.
type counters struct {
	stop chan struct{}
	all  sync.WaitGroup
}

// count has a goroutine for each of refs call it from machines in turn, of those that use says may
// be used.
func (w *world) count(refs []proclet.Ref[blob], use func(n int) (*machine, func())) *counters {
	c := &counters{stop: make(chan struct{})}
	for i, ref := range refs {
		c.all.Go(func() {
			for n := int64(1); ; n++ {
				select {
				case <-c.stop:
					return
				default:
				}
				m, done := use(i + int(n))
				got, err := proclet.Call(m.proclet(), ref, (*blob).Add, 1)
				done()
				if err != nil || got != n {
					w.t.Errorf("proclet %d: call %d returned %d, %v", i, n, got, err)
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	return c
}

func (c *counters) end() {
	close(c.stop)
	c.all.Wait()
}

// any uses all machines of a rack that does not change.
func (w *world) any(n int) (*machine, func()) { return w.machines[n%len(w.machines)], func() {} }

// TestMemoryPressure takes memory from a machine: its proclets move away until there is enough, nothing is
// lost meanwhile, and then everything stays where it is.
func TestMemoryPressure(t *testing.T) {
	w := newWorld(t)
	w.boot(3, quick())
	victim := w.machines[1]
	refs := w.put(victim, 40, 60*kib)
	defer w.end(refs)
	w.start()
	calls := w.count(refs, w.any)
	defer calls.end()
	await(t, "the pressure is seen", func() bool { return victim.balancer.State().Total > 0 })
	if n := w.moves(); n != 0 {
		t.Errorf("%d moves without pressure", n)
	}
	victim.taken.Store(5 << 20)
	await(t, "the pressure is over", func() bool {
		return w.moves() > 0 && victim.sample().Free > 2<<20 && !victim.balancer.State().Memory
	})
	// And then things come to rest. A machine that is much fuller than others may give more.
	before, since := w.moves(), time.Now()
	await(t, "nothing moves", func() bool {
		if n := w.moves(); n != before {
			before, since = n, time.Now()
		}
		return time.Since(since) > 500*time.Millisecond
	})
	n := w.machines[0].count() + w.machines[2].count()
	if n < 20 || n+victim.count() != len(refs) || before > uint64(len(refs))*3/2 {
		t.Errorf("with %d moves %d proclets have gone and %d stayed, of %d", before, n, victim.count(), len(refs))
	}
	for what, of := range map[string]string{"pressure": "memory pressure begins", "grant": "has room for", "batch": "µs a MiB", "moved": "are free now"} {
		all := w.events(what)
		if len(all) == 0 || !strings.Contains(all[0].Text, of) {
			t.Errorf("of %q it is said: %v", what, all)
		}
	}
}

// TestProcessorPressure has proclets compute on one machine, more than it has processors.
func TestProcessorPressure(t *testing.T) {
	w := newWorld(t)
	w.boot(3, quick())
	refs := w.put(w.machines[0], 3, kib)
	defer w.end(refs)
	w.start()
	for _, ref := range refs {
		if _, err := proclet.Call(w.machines[0].proclet(), ref, (*blob).Compute, struct{}{}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "each machine has one", func() bool {
		for _, m := range w.machines {
			if m.count() != 1 {
				return false
			}
		}
		return true
	})
	if all := w.events("pressure"); len(all) == 0 || !strings.Contains(all[0].Text, "processor pressure begins: threads have waited") {
		t.Errorf("%v", all)
	}
	for _, ref := range refs {
		if _, err := proclet.Call(w.machines[0].proclet(), ref, (*blob).Rest, struct{}{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestJoin has an empty machine join a rack that is rather full.
func TestJoin(t *testing.T) {
	w := newWorld(t)
	w.boot(2, quick())
	var refs []proclet.Ref[blob]
	for _, m := range w.machines {
		m.taken.Store(3 << 20)
		refs = append(refs, w.put(m, 30, 60*kib)...)
	}
	defer w.end(refs)
	w.start()
	time.Sleep(300 * time.Millisecond)
	if n := w.moves(); n != 0 {
		t.Errorf("%d moves between equals", n)
	}
	w.boot(1, quick())
	w.start()
	await(t, "the machine that has joined has got work", func() bool { return w.machines[2].count() >= 10 })
	if all := w.events("order"); len(all) == 0 || !strings.Contains(all[0].Text, "% of machine") {
		t.Errorf("%v", all)
	}
}

// TestRollingReplacement replaces all machines of a rack, one after the other, by new ones, while
// proclets are called. No call fails, and each is executed once.
func TestRollingReplacement(t *testing.T) {
	w := newWorld(t)
	w.boot(3, quick())
	var refs []proclet.Ref[blob]
	for _, m := range w.machines {
		refs = append(refs, w.put(m, 5, 30*kib)...)
	}
	defer w.end(refs)
	for i, ref := range refs { // the machines that have made them give them up when they leave
		if err := proclet.Bind(w.machines[0].proclet(), fmt.Sprint("blob ", i), ref); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	// Who calls uses machines that stay.
	var mu sync.RWMutex
	calls := w.count(refs, func(n int) (*machine, func()) {
		mu.RLock()
		all := w.live()
		return all[n%len(all)], mu.RUnlock
	})
	defer calls.end()
	for range 3 {
		mu.Lock()
		w.boot(1, quick())
		w.start()
		old := w.live()[0]
		mu.Unlock()
		if err := migrate.AskDrain(t.Context(), w.live()[1].rack, old.id()); err != nil {
			t.Fatal(err)
		}
		await(t, "a machine is drained", func() bool { return old.count() == 0 || t.Failed() })
		mu.Lock() // whoever calls from there has finished
		old.left = true
		mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := errors.Join(old.proclets.Settle(ctx), old.rack.Leave(ctx))
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, m := range w.live() {
		n += m.count()
	}
	if n != len(refs) || len(w.live()) != 3 {
		t.Errorf("%d proclets of %d live on %d machines", n, len(refs), len(w.live()))
	}
}
