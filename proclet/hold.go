package proclet

import (
	"errors"
	"fmt"
	"unsafe"
)

// A method owns what counts it gets: from New, Clone and Upgrade, and for the
// Refs in the results of its calls. They are given back when it has returned,
// unless it has given them away before: to the state, to its caller with its
// result, or with [Release].
//
// A hold is one of these counts. The list of them lies in memory that lives as
// long as the method and moves with it.
type hold struct {
	next  *hold
	of    handle
	state holdState
}

type holdState uint8

const (
	holdFree     holdState = iota // of no use at the moment
	holdOwned                     // the method's
	holdClaimed                   // set aside for somebody who is about to get it
	holdWanted                    // claimed, and still to be acquired
	holdReserved                  // being acquired by somebody who knows where it is
)

// searched is how many holds a search for one that would only save a message, or
// memory, looks at.
const searched = 64

// newHold returns a hold of h in some state, which is in t's list.
func (t *Thread) newHold(h handle, state holdState) (*hold, error) {
	for n, i := t.holds, 0; n != nil && i < searched; n, i = n.next, i+1 {
		if n.state == holdFree {
			n.of, n.state = h, state
			return n, nil
		}
	}
	a, err := t.results(room(unsafe.Sizeof(hold{})))
	if err != nil {
		return nil, err
	}
	n := (*hold)(a.bytes(unsafe.Sizeof(hold{})))
	*n = hold{t.holds, h, state}
	t.holds = n
	return n, nil
}

// findHold returns one of the first limit holds of h in some state, or nil.
func (t *Thread) findHold(h handle, state holdState, limit int) *hold {
	for n, i := t.holds, 0; n != nil && i < limit; n, i = n.next, i+1 {
		if n.state == state && n.of == h {
			return n
		}
	}
	return nil
}

// own makes t's method, or an ordinary goroutine, the owner of a count of h that
// was acquired for it. If there is no room to remember it the count is given
// back.
func (t *Thread) own(h handle) error {
	if t.loose {
		return nil
	}
	if t.heap == nil {
		t.runtime().outsiders.add(h)
		return nil
	}
	_, err := t.newHold(h, holdOwned)
	if err != nil {
		t.runtime().giveBack(h, 1)
	}
	return err
}

// disown takes a count of h away from t's method, or the ordinary goroutines. was
// reports whether they had one, free whether it is the caller's now.
func (t *Thread) disown(h handle) (was, free bool) {
	if t.heap == nil {
		return t.runtime().outsiders.remove(h)
	}
	n := t.findHold(h, holdOwned, 1<<62)
	if n == nil {
		return false, false
	}
	n.state = holdFree
	return true, true
}

// acquire gives t's method, or an ordinary goroutine, a count of h. It is a safe
// point.
func (t *Thread) acquire(h handle) error {
	if t.heap == nil {
		if err := t.retain(h); err != nil {
			return err
		}
		return t.own(h)
	}
	n, err := t.newHold(h, holdReserved)
	if err != nil {
		return err
	}
	if err := t.retain(h); err != nil {
		n.state = holdFree
		return err
	}
	n.state = holdOwned
	return nil
}

// claim sets aside, among what t's method owns, a count of h that take can take.
// If it has none yet, acquireClaimed is still to get it. unique: nobody else may
// have one meanwhile.
func (t *Thread) claim(h handle, unique bool) error {
	if h.id.IsZero() {
		return nil
	}
	limit := searched
	if unique {
		limit = 1 << 62
	}
	if n := t.findHold(h, holdOwned, limit); n != nil {
		n.state = holdClaimed
		return nil
	}
	if unique {
		return ErrNotOwned
	}
	return t.addWanted(h)
}

// addWanted claims a count that is still to be acquired.
func (t *Thread) addWanted(h handle) error {
	_, err := t.newHold(h, holdWanted)
	if err == nil {
		t.wanted++
	}
	return err
}

// acquireClaimed acquires the counts that were claimed and not there. It is a safe
// point. Refs to what does not exist any more may be handed on like others: their
// counts are of no importance.
func (t *Thread) acquireClaimed(evenDead bool) error {
	for n := t.holds; n != nil && t.wanted > 0; n = n.next {
		if n.state != holdWanted {
			continue
		}
		t.wanted--
		err := t.retain(n.of)
		if err != nil && !(evenDead && isGone(err)) {
			n.state = holdFree
			return err
		}
		n.state = holdClaimed
	}
	return nil
}

// unclaim leaves with the method what was claimed.
func (t *Thread) unclaim() {
	t.wanted = 0
	for n := t.holds; n != nil; n = n.next {
		switch n.state {
		case holdClaimed:
			n.state = holdOwned
		case holdWanted:
			n.state = holdFree
		}
	}
}

// take takes a count of h that was claimed, and reports whether it was.
func (t *Thread) take(h handle) bool {
	n := t.findHold(h, holdClaimed, 1<<62)
	if n == nil {
		return false
	}
	n.state = holdFree
	return true
}

// takeClaimed takes everything that was claimed.
func (t *Thread) takeClaimed() {
	for n := t.holds; n != nil; n = n.next {
		if n.state == holdClaimed {
			n.state = holdFree
		}
	}
}

// releaseOwned gives back, when a method has ended, what it owns beyond the
// holds of mark, the list as it was before. It does not wait.
func (t *Thread) releaseOwned(mark *hold) {
	for n := t.holds; n != mark; n = n.next {
		if n.state == holdOwned || n.state == holdClaimed {
			t.runtime().giveBack(n.of, 1)
		}
	}
	t.holds = mark
}

// isGone reports whether err says that a proclet or object does not exist any
// more.
func isGone(err error) bool {
	return !errors.Is(err, ErrMaybeExecuted) && (errors.Is(err, ErrNoProclet) || errors.Is(err, ErrLost) || errors.Is(err, ErrNoObject))
}

// Release gives back, without waiting, a count that t's method owns; see [Ref].
// That happens when the method returns in any case: it is for those that run for
// long. Ordinary goroutines own what they got until they release it. ErrNotOwned
// if the caller has no such count, ErrNoProclet for the zero value.
func Release[C Counted](t *Thread, c C) error {
	h := c.counted()
	if h.id.IsZero() {
		return ErrNoProclet
	}
	was, free := t.disown(h)
	if !was {
		return fmt.Errorf("%w: %v", ErrNotOwned, h.id)
	}
	if free {
		t.runtime().giveBack(h, 1)
	}
	return nil
}
