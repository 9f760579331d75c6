package proclet

import "sync"

// outsiders is what the ordinary goroutines of a machine own, all of them
// together.
type outsiders struct {
	mu   sync.Mutex
	owns map[handle]owned
}

type owned struct {
	n    int  // counts
	lent int  // asynchronous calls that rely on them
	kept bool // there is one more, which was given back while it was lent
}

// change changes what is known of h.
func (o *outsiders) change(h handle, f func(*owned)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.owns == nil {
		o.owns = map[handle]owned{}
	}
	w := o.owns[h]
	f(&w)
	if w == (owned{}) {
		delete(o.owns, h)
	} else {
		o.owns[h] = w
	}
}

func (o *outsiders) add(h handle) { o.change(h, func(w *owned) { w.n++ }) }

// remove takes a count of h away. was reports whether there was one, free whether
// it is the caller's: not if it is lent and the last one.
func (o *outsiders) remove(h handle) (was, free bool) {
	o.change(h, func(w *owned) {
		if was = w.n > 0; !was {
			return
		}
		w.n--
		if free = w.n > 0 || w.lent == 0 || w.kept; !free {
			w.kept = true
		}
	})
	return was, free
}

// lend reports whether an asynchronous call can rely on what is owned of h.
func (o *outsiders) lend(h handle) (ok bool) {
	o.change(h, func(w *owned) {
		if ok = w.n > 0; ok {
			w.lent++
		}
	})
	return ok
}

// returned is the end of what lend began. free reports whether there is a count
// to be given back now.
func (o *outsiders) returned(h handle) (free bool) {
	o.change(h, func(w *owned) {
		w.lent--
		if free = w.lent == 0 && w.kept; free {
			w.kept = false
		}
	})
	return free
}

// giveBack gives back everything that is not lent.
func (o *outsiders) giveBack(rt *Runtime) {
	o.mu.Lock()
	owns := map[handle]int{}
	for h, w := range o.owns {
		owns[h] = w.n
	}
	o.mu.Unlock()
	for h, n := range owns {
		for range n {
			if _, free := o.remove(h); free {
				rt.giveBack(h, 1)
			}
		}
	}
}
