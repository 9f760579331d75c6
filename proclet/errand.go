package proclet

import "fmt"

// What a thread wants done that takes messages, but is no call, is an errand: an agent
// runs it, as it does the asking for a call, and the thread expects the answer, wherever
// it is by then. An errand must not use what moves with the thread: the memory of
// its proclet, and of its stack and arena.

// errand has do run on behalf of t, and returns what that returns. If t does not get it,
// because it is not there any more, undo is called, unless do has failed. It is a
// safe point.
func (t *Thread) errand(do func() (ID, error), undo func(ID)) (ID, error) {
	if t.depth == 0 {
		return do()
	}
	e, err := t.sendErrand(do, undo)
	if err != nil {
		return ID{}, err
	}
	t.blockFor(e, never)
	id, err := errandAnswer(e.answer())
	t.runtime().find(t.id).forget(e)
	return id, err
}

// fetch is errand for one that brings a count of a proclet, which t's method, or
// the ordinary goroutine, owns then.
func (t *Thread) fetch(do func() (ID, error)) (ID, error) {
	id, err := t.errand(do, t.runtime().drop)
	if err == nil && !id.IsZero() {
		err = t.own(handle{id: id})
	}
	if err != nil {
		return ID{}, err
	}
	return id, nil
}

// drop gives back what an errand has fetched in vain.
func (rt *Runtime) drop(id ID) {
	if !id.IsZero() {
		rt.giveBack(handle{id: id}, 1)
	}
}

func (t *Thread) sendErrand(do func() (ID, error), undo func(ID)) (*expected, error) {
	rt := t.runtime()
	e, err := rt.find(t.id).expect(t, rt.slots.number())
	if err != nil {
		return nil, err
	}
	go rt.runErrand(do, undo, t.id, e.seq)
	return e, nil
}

func (rt *Runtime) runErrand(do func() (ID, error), undo func(ID), to ID, seq uint64) {
	id, err := do()
	answer := appendID([]byte{answerDone}, id)
	if err != nil {
		answer = failed(err)
	}
	if gone := rt.deliverAnswer(to, seq, answer); gone != nil && err == nil && undo != nil {
		undo(id)
	}
}

func errandAnswer(answer []byte) (ID, error) {
	d := &decoder{answer[1:]}
	switch answer[0] {
	case answerDone:
		return d.id()
	case answerFailed:
		return ID{}, d.failure()
	}
	return ID{}, fmt.Errorf("%w: the answer was not kept", ErrMaybeExecuted)
}

// agent returns a Thread for an errand of t: that of an ordinary goroutine in t's
// chain of calls, which owns nothing.
func (t *Thread) agent() *Thread { return &Thread{rt: t.rt, inside: t.path(nil), loose: true} }
