package rack

import (
	"sync"
)

// eventQueue runs what members have asked to be told of, in the order in which
// it happened, on one goroutine.
type eventQueue struct {
	mu      sync.Mutex
	wake    chan struct{}
	pending []func()
	onJoin  []func(Member)
	onLeave []func(MachineID)
	onDeath []func(MachineID)
}

func (q *eventQueue) init() { q.wake = make(chan struct{}, 1) }

// post queues f for the event goroutine.
func (q *eventQueue) post(f func()) {
	q.mu.Lock()
	q.pending = append(q.pending, f)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *eventQueue) run(done <-chan struct{}) {
	for {
		q.mu.Lock()
		pending := q.pending
		q.pending = nil
		q.mu.Unlock()
		for _, f := range pending {
			f()
		}
		if len(pending) > 0 {
			continue
		}
		select {
		case <-q.wake:
		case <-done:
			return
		}
	}
}

func (q *eventQueue) joined(m Member) {
	q.post(func() {
		for _, f := range snapshot(q, &q.onJoin) {
			f(m)
		}
	})
}

func (q *eventQueue) gone(id MachineID, left bool) {
	list := &q.onDeath
	if left {
		list = &q.onLeave
	}
	q.post(func() {
		for _, f := range snapshot(q, list) {
			f(id)
		}
	})
}

func snapshot[F any](q *eventQueue, list *[]F) []F {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]F(nil), *list...)
}

// OnJoin has f called when another machine becomes a member. Callbacks of
// OnJoin, OnLeave and OnDeath run one at a time, in order; they must not wait
// for the rack.
func (r *Rack) OnJoin(f func(Member)) {
	r.events.mu.Lock()
	defer r.events.mu.Unlock()
	r.events.onJoin = append(r.events.onJoin, f)
}

// OnLeave has f called when a machine has left; it held nothing any more.
func (r *Rack) OnLeave(f func(MachineID)) {
	r.events.mu.Lock()
	defer r.events.mu.Unlock()
	r.events.onLeave = append(r.events.onLeave, f)
}

// OnDeath has f called when another machine's incarnation has been declared
// dead: what lived there is lost, and nothing is heard of it any more.
func (r *Rack) OnDeath(f func(MachineID)) {
	r.events.mu.Lock()
	defer r.events.mu.Unlock()
	r.events.onDeath = append(r.events.onDeath, f)
}
