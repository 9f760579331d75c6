package proclet

// When a proclet moves, those who wait for a call inside are sent after it. The call
// may end before they arrive, and the proclet, which nobody needs to hold for that,
// as well. So the machine where a proclet ends keeps the answers that nobody has
// got.

// unsentAnswers are the latest of them.
type unsentAnswers struct {
	of    map[endedCall][]byte
	order [1024]endedCall // in the order of their ends
	next  int
}

// endedCall is a call of a proclet that has ended.
type endedCall struct {
	id   ID
	call callID
}

func (u *unsentAnswers) add(c endedCall, answer []byte) {
	if u.of == nil {
		u.of = map[endedCall][]byte{}
	}
	delete(u.of, u.order[u.next])
	u.order[u.next] = c
	u.next = (u.next + 1) % len(u.order)
	u.of[c] = answer
}

// keepUnsent keeps the answers of r, which has ended.
func (rt *Runtime) keepUnsent(r *resident) {
	r.once.unsent(func(c callID, answer []byte) {
		rt.mu.Lock()
		defer rt.mu.Unlock()
		rt.unsent.add(endedCall{r.id, c}, answer)
	})
}

// awayFrom is away for a call that may have been executed here. An answer is given
// as often as it is asked for.
func (rt *Runtime) awayFrom(id ID, c callID) []byte {
	rt.mu.Lock()
	answer := rt.unsent.of[endedCall{id, c}]
	rt.mu.Unlock()
	if answer != nil {
		return answer
	}
	return rt.away(id)
}
