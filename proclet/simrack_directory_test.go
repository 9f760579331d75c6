package proclet

import (
	"context"
	"fmt"

	"nuos/rack"
)

// The directory of a simulated rack. What it is told arrives late, and what it answers
// is old news.

func (m *simMachine) Publish(id uint64, at rack.Location) { m.change(id, simChange{at: at}) }

func (m *simMachine) Forget(id uint64, at rack.Location) {
	m.change(id, simChange{at: at, forget: true})
}

func (m *simMachine) change(id uint64, c simChange) {
	w := m.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.forget {
		delete(m.cache, id)
	} else {
		m.learn(id, c.at)
	}
	_, waits := m.changes[id]
	m.changes[id] = c
	if !waits {
		w.may(fmt.Sprintf("%v tells the directory about %x", m, id), func() bool { return !m.cut }, func() { m.tell(id) })
	}
}

// tell tells the directory the newest about a proclet.
func (m *simMachine) tell(id uint64) {
	w := m.w
	w.mu.Lock()
	defer w.mu.Unlock()
	c := m.changes[id]
	delete(m.changes, id)
	old, known := w.locations[id]
	switch {
	case m.dead:
	case c.forget:
		if known && old.Moves <= c.at.Moves {
			delete(w.locations, id)
		}
	case !known || c.at.Moves > old.Moves:
		w.locations[id] = c.at
	}
}

func (m *simMachine) learn(id uint64, at rack.Location) {
	if old, known := m.cache[id]; !known || at.Moves >= old.Moves {
		m.cache[id] = at
	}
}

func (m *simMachine) Learn(id uint64, at rack.Location) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.learn(id, at)
}

func (m *simMachine) Locate(ctx context.Context, id uint64) (rack.Location, error) {
	m.w.mu.Lock()
	at, ok := m.cache[id]
	m.w.mu.Unlock()
	if ok {
		return at, nil
	}
	return m.Relocate(ctx, id)
}

func (m *simMachine) Relocate(_ context.Context, id uint64) (at rack.Location, err error) {
	w := m.w
	answer := make(chan struct{})
	w.mu.Lock()
	able := func() bool { return m.fenced || !m.cut }
	w.may(fmt.Sprintf("%v asks the directory for %x", m, id), able, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		var known bool
		switch at, known = w.locations[id]; {
		case m.fenced:
			err = rack.ErrFenced
		case !known:
			delete(m.cache, id)
			err = rack.ErrNotFound
		default:
			m.learn(id, at)
		}
		close(answer)
	})
	w.mu.Unlock()
	<-answer
	return at, err
}
