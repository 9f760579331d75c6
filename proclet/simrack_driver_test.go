package proclet

import (
	"context"
	"slices"
	"time"

	"nuos/rack"
)

// What the driver of a simulated rack begins: calls, moves, the end of proclets and
// of machines.

// begin makes the subjects.
func (w *simWorld) begin() {
	for i := range w.profile.subjects {
		m := w.machines[i%len(w.machines)]
		ref, err := New[subject](m.rt.Current(), Options{On: m.id, Capacity: 256 << 10})
		if err != nil {
			w.breaks("making a proclet: %v", err)
			return
		}
		w.mu.Lock()
		w.subjects = append(w.subjects, ref)
		w.say("%s lives at %v", w.name(ref.id), m)
		w.mu.Unlock()
	}
}

// actions are what the driver could do next.
func (w *simWorld) actions() (all []func()) {
	if w.calm {
		return nil
	}
	if w.profile.calls > 0 {
		all = append(all, w.call, w.call)
	}
	if w.profile.moves > 0 {
		all = append(all, w.move)
	}
	if w.profile.destroy && w.rng.IntN(60) == 0 {
		all = append(all, w.destroy)
	}
	if w.rng.IntN(40) == 0 && (w.profile.deaths || w.profile.unreachable) {
		all = append(all, w.cutOrHeal)
	}
	return all
}

// live returns a machine that is not dead, nor cut off.
func (w *simWorld) live() *simMachine {
	for {
		if m := w.machines[w.rng.IntN(len(w.machines))]; !m.dead && !m.cut {
			return m
		}
	}
}

// call has an ordinary goroutine give a task to a subject.
func (w *simWorld) call() {
	w.profile.calls--
	m, ref := w.live(), w.subjects[w.rng.IntN(len(w.subjects))]
	o := simOrder{Task: w.newTask(ref.id), Seed: w.rng.Uint64(), Depth: int64(w.rng.IntN(4))}
	for i := range o.Peers {
		o.Peers[i] = w.subjects[w.rng.IntN(len(w.subjects))]
	}
	how, d := w.rng.IntN(10), time.Duration(w.rng.IntN(40000))*time.Microsecond
	w.mu.Lock()
	defer w.mu.Unlock()
	m.callers++
	w.say("task %d for %s is given by %v", o.Task, w.name(ref.id), m)
	go func() {
		t := m.rt.Current()
		var a simAnswer
		var err error
		switch how {
		case 0:
			w.tasks[o.Task].posted = true
			if err = Post(t, ref, (*subject).Do, o); err == nil {
				m.left()
				return
			}
		case 1, 2:
			o.Bare = true
			a, err = CallWithin(t, d, ref, (*subject).Do, o)
		case 3:
			o.Bare = true
			f := Go(t, ref, (*subject).Do, o)
			time.Sleep(d)
			f.Cancel()
			a, err = f.Wait(t)
		case 4:
			a, err = Go(t, ref, (*subject).Do, o).Wait(t)
		default:
			a, err = Call(t, ref, (*subject).Do, o)
		}
		w.answered(t, o.Task, a.Task, err)
		m.left()
	}()
}

// left is the end of a caller.
func (m *simMachine) left() {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.callers--
}

// move has a proclet move.
func (w *simWorld) move() {
	w.profile.moves--
	from, to := w.live(), w.live()
	var here []*resident
	for _, r := range w.residents() {
		if r.rt == from.rt {
			here = append(here, r)
		}
	}
	if len(here) == 0 || from == to {
		return
	}
	id := here[w.rng.IntN(len(here))].id
	w.mu.Lock()
	defer w.mu.Unlock()
	from.moving++
	w.say("%s is to move from %v to %v", w.name(id), from, to)
	go func() {
		err := from.migrator.Move(context.Background(), id, to.id)
		w.mu.Lock()
		defer w.mu.Unlock()
		from.moving--
		if err == nil {
			w.moves++
		}
		w.say("%s to %v: %v", w.name(id), to, err)
	}()
}

// destroy ends a subject that others still hold.
func (w *simWorld) destroy() {
	ref, m := w.subjects[w.rng.IntN(len(w.subjects))], w.live()
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.Contains(w.gone, ref.id) {
		return
	}
	w.gone = append(w.gone, ref.id)
	m.callers++
	w.say("%v destroys %s", m, w.name(ref.id))
	go func() {
		err := Destroy(m.rt.Current(), ref)
		w.mu.Lock()
		w.say("%s is destroyed: %v", w.name(ref.id), err)
		w.mu.Unlock()
		m.left()
	}()
}

// cutOrHeal cuts a machine off, or ends that, one way or the other.
func (w *simWorld) cutOrHeal() {
	i := slices.IndexFunc(w.machines, func(m *simMachine) bool { return m.cut && !m.fenced })
	switch {
	case i >= 0:
		w.endCut(w.machines[i], w.rng.IntN(2) == 0)
	case !slices.ContainsFunc(w.machines, func(m *simMachine) bool { return m.dead }):
		m := w.live()
		w.mu.Lock()
		m.cut = true
		w.say("%v is cut off", m)
		w.mu.Unlock()
	}
}

// endCut ends what happens to a machine that is cut off.
func (w *simWorld) endCut(m *simMachine, heal bool) {
	switch {
	case m.dead:
		w.fence(m)
	case w.profile.deaths && !heal:
		w.declareDead(m)
	default:
		w.mu.Lock()
		m.cut = false
		w.say("%v is back", m)
		w.mu.Unlock()
	}
}

// declareDead has the others know that a machine is dead.
func (w *simWorld) declareDead(m *simMachine) {
	w.mu.Lock()
	m.dead = true
	w.say("%v is declared dead", m)
	for _, c := range w.messages {
		if c.to == m && c.from != m {
			if c.carried || w.rng.IntN(2) == 0 {
				c.fail(rack.ErrMaybeExecuted, rack.ErrLost)
			} else {
				c.fail(rack.ErrNotSent, rack.ErrLost)
			}
		}
	}
	w.mu.Unlock()
	for _, other := range w.machines {
		if other != m && !other.dead {
			for _, f := range other.onDeath {
				f(m.id)
			}
			go other.migrator.Died(m.id)
		}
	}
}

// fence has a dead machine know that it is.
func (w *simWorld) fence(m *simMachine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m.fenced = true
	w.say("%v knows that it is dead", m)
	for _, c := range w.messages {
		if c.from == m {
			c.fail(rack.ErrMaybeExecuted, rack.ErrFenced)
		}
	}
}
