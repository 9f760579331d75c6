package proclet

import "unsafe"

// An asynchronous call may outlive the method that makes it, so it holds what it
// calls and what is in its argument itself.

// loan is what an asynchronous call holds.
type loan struct {
	rt   *Runtime
	held []handle // counts
	lent []handle // counts of the ordinary goroutines, who do not give them back before
}

// lend makes a loan for a call of id with the argument at v, whose plan is p. It
// is a safe point if t is a method's.
func (t *Thread) lend(id ID, p *plan, v unsafe.Pointer) (*loan, error) {
	if id.IsZero() {
		return &loan{}, nil // the call says so itself
	}
	if t.heap == nil {
		l := &loan{rt: t.runtime()}
		err := l.add(t, handle{id: id})
		if err == nil {
			err = p.each(v, func(h handle, _ bool) error { return l.add(t, h) })
		}
		if err != nil {
			l.end()
			return nil, err
		}
		return l, nil
	}
	err := t.want(handle{id: id}, false)
	if err == nil {
		err = p.each(v, t.want)
	}
	if err == nil {
		err = t.acquireClaimed(true)
	}
	if err != nil {
		t.unclaim()
		return nil, err
	}
	l := &loan{rt: t.runtime()} // not before: t may have moved
	for n := t.holds; n != nil; n = n.next {
		if n.state == holdClaimed {
			l.held = append(l.held, n.of)
		}
	}
	t.takeClaimed()
	return l, nil
}

// want is claim of a count that the method does not have yet.
func (t *Thread) want(h handle, _ bool) error {
	if h.id.IsZero() {
		return nil
	}
	return t.addWanted(h)
}

// add adds a count of h to the loan of an ordinary goroutine.
func (l *loan) add(t *Thread, h handle) error {
	if h.id.IsZero() {
		return nil
	}
	if l.rt.outsiders.lend(h) {
		l.lent = append(l.lent, h)
		return nil
	}
	switch err := t.retain(h); {
	case err == nil:
		l.held = append(l.held, h)
	case !isGone(err): // of what is gone no count is needed
		return err
	}
	return nil
}

// end gives back what the call held.
func (l *loan) end() {
	for _, h := range l.held {
		l.rt.giveBack(h, 1)
	}
	for _, h := range l.lent {
		if l.rt.outsiders.returned(h) {
			l.rt.giveBack(h, 1)
		}
	}
}

// own makes t's method the owner of counts of its own for the value at v, which
// somebody else holds. It is a safe point if p.counted and t is a method's.
func (p *plan) own(t *Thread, v unsafe.Pointer) error {
	if !p.counted {
		return nil
	}
	if t.heap == nil {
		return p.each(v, func(h handle, _ bool) error {
			if err := t.acquire(h); err != nil && !isGone(err) {
				return err
			}
			return nil
		})
	}
	err := p.each(v, t.want)
	if err == nil {
		err = t.acquireClaimed(true)
	}
	t.unclaim()
	return err
}
