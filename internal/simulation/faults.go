package simulation

import "time"

// deadAfter is how long a machine is silent before it is declared dead.
const deadAfter = 3 * time.Second

// planFault has something go wrong after a while, and then the next thing.
func (w *world) planFault() {
	gap := time.Duration(float64(2*time.Second) * w.random.ExpFloat64())
	w.after(gap, func() {
		w.fault()
		w.planFault()
	})
}

func (w *world) fault() {
	m := w.machines[w.random.IntN(len(w.machines))]
	if m.dead {
		return
	}
	long := time.Duration(float64(time.Second) * w.random.ExpFloat64())
	switch w.random.IntN(4) {
	case 0:
		w.say("machine %d crashes", m.id)
		w.die(m)
		w.after(deadAfter, func() { w.gone(m) })
		w.boot(m, deadAfter+long)
	case 1:
		w.pause(m, 2*long)
	case 2:
		if w.now < w.healed {
			return
		}
		for _, m := range w.machines {
			m.side = 0
			if w.random.IntN(3) == 0 {
				m.side = 1
			}
		}
		w.healed = w.now + long
		w.say("the network is divided for %v", long)
	case 3:
		w.say("machine %d drains", m.id)
		m.draining = true
		w.drained(m)
	}
}

// pause stops a machine for a while. One that is silent for too long is fenced, and boots again when it
// finds out.
func (w *world) pause(m *machine, long time.Duration) {
	if w.now < m.paused {
		return
	}
	w.say("machine %d pauses for %v", m.id, long)
	m.paused = w.now + long
	if long < deadAfter {
		return
	}
	w.after(deadAfter, func() {
		if m.dead {
			return
		}
		w.say("machine %d is declared dead", m.id)
		w.die(m)
		w.gone(m)
		w.boot(m, long-deadAfter)
	})
}

// die ends a machine, and what is on it. Applications make anew elsewhere what they have lost.
func (w *world) die(m *machine) {
	m.dead = true
	delete(w.byID, m.id)
	if g := m.give; g != nil {
		m.give = nil
		g.to.takes--
	}
	var alive []*machine
	for _, o := range w.machines {
		if !o.dead && !o.draining {
			alive = append(alive, o)
		}
	}
	for len(m.proclets) > 0 {
		p := m.proclets[len(m.proclets)-1]
		w.take(p)
		delete(w.proclets, p.key)
		w.result.Lost++
		if len(alive) > 0 {
			again := *p
			w.add(&again, alive[w.random.IntN(len(alive))])
		}
	}
	if m == w.leaderAt {
		w.after(electionTime, w.elect)
	}
}

// gone has the leader forget a machine.
func (w *world) gone(m *machine) {
	w.leader.Gone(m.id)
}

// boot starts a machine again, as another incarnation.
func (w *world) boot(old *machine, after time.Duration) {
	w.after(after, func() {
		for i, m := range w.machines {
			if m == old {
				w.machines[i] = w.newMachine()
				w.byID[w.machines[i].id] = w.machines[i]
				w.say("machine %d boots as %d", old.id, w.machines[i].id)
			}
		}
	})
}

// drained has a machine that drains leave when nothing is left on it, and boot again.
func (w *world) drained(m *machine) {
	w.after(20*time.Millisecond, func() {
		switch {
		case m.dead:
		case len(m.proclets) > 0 || m.takes > 0 || m.give != nil || m == w.leaderAt:
			w.drained(m)
		default:
			w.say("machine %d leaves", m.id)
			w.result.Drained++
			w.die(m)
			w.gone(m)
			w.boot(m, 100*time.Millisecond)
		}
	})
}
