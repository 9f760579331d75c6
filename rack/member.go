package rack

import (
	"context"
	"os"
	"time"
)

// learn takes a decided view: it tells the endpoint who has come and gone, and
// those who asked.
func (r *Rack) learn(v *View) {
	if v == nil {
		return
	}
	r.mu.Lock()
	old := r.view
	if r.closed || !v.newer(&old) || old.Rack != 0 && old.Rack != v.Rack {
		r.mu.Unlock()
		return
	}
	r.view = *v
	r.sessions.Store(&map[MachineID]*session{})
	if v.Epoch > old.Epoch {
		r.endReign()
		r.reign, r.endReign = context.WithCancel(context.Background())
	}
	us, lost := v.byNonce(r.e.nonce), false
	if us != nil {
		r.e.id.Store(uint32(us.ID))
		r.e.role.Store(uint32(roleMember))
		if us.Draining && !r.draining {
			r.draining = true
			if f := r.onDrain.Load(); f != nil {
				r.events.post(*f)
			}
		}
	}
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()

	for _, m := range v.Gone {
		if m.Nonce == r.e.nonce {
			lost = !m.Left
			continue
		}
		if !m.Left {
			r.e.fence(m.Nonce, m.MAC, m.IP)
		}
		if old.wasHere(m.ID) != nil {
			continue
		}
		if s := r.e.peers.Load().byNonce[m.Nonce]; s != nil && m.Left {
			// What it still has to say, such as its last answers, may be on
			// the way, and what it is told, such as that it has left. Its
			// session ends when nothing more is heard of it.
			time.AfterFunc(r.config.Dead/ticksToDeath, func() { s.lose(ErrLost) })
		}
		if old.Version > 0 {
			r.events.gone(m.ID, m.Left)
			if m.Left {
				r.note("machine %d (%v) has left", m.ID, m.MAC)
			} else {
				r.note("machine %d (%v) is dead", m.ID, m.MAC)
			}
		}
	}
	for _, m := range v.Members {
		if s := r.e.peers.Load().byNonce[m.Nonce]; s != nil {
			s.id.Store(uint32(m.ID))
			s.role.Store(uint32(roleMember))
		}
		if old.Version > 0 && m.Nonce != r.e.nonce && old.member(m.ID) == nil {
			r.events.joined(m.public())
			r.note("machine %d (%v, %v) has joined", m.ID, m.MAC, m.IP)
		}
	}
	if lost {
		r.events.post(func() { r.fenced("the view says so") })
	}
	if v.Version == foundingVersion && us != nil {
		r.directory.found(v, r.e.nonce)
	}
}

// fenced ends this incarnation, which the others have declared dead.
func (r *Rack) fenced(why string) {
	r.mu.Lock()
	already := r.closed || r.isFenced
	r.isFenced = true
	r.mu.Unlock()
	if already {
		return
	}
	r.cancel(ErrFenced)
	r.e.close(ErrFenced)
	r.note("the others have declared this machine dead (%s); it serves no longer", why)
	if r.config.OnFenced != nil {
		r.config.OnFenced()
		return
	}
	os.Exit(ExitFenced)
}

// beat looks at what has become silent, a dozen times in the time that death
// takes.
func (r *Rack) beat() {
	ticker := time.NewTicker(r.config.Dead / ticksToDeath)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-r.ctx.Done():
			return
		}
		r.tick()
	}
}

// tick looks once.
func (r *Rack) tick() {
	r.mu.Lock()
	v := r.view
	now := r.e.now()
	for n, s := range r.searchers {
		if now-s.heard > helloMemory {
			delete(r.searchers, n)
		}
	}
	r.mu.Unlock()

	var dead []MachineID
	for _, s := range r.e.peers.Load().byNonce {
		silent := s.tick()
		m := v.byNonce(s.nonce)
		switch {
		case m == nil:
			if silent > 3*r.e.limit { // a machine that left, an observer or searcher that went away
				r.e.remove(s, ErrUnreachable)
			}
		case silent >= r.e.limit:
			dead = append(dead, m.ID)
		}
	}
	us := v.byNonce(r.e.nonce)
	if us == nil {
		return
	}
	if r.directory.leads.Load() {
		r.tickDirectory(&v, dead)
		return
	}
	hears := r.hearsDirectory(&v)
	for i := range v.Members {
		// Silence is noticed in an open session only. If the directory is
		// silent, or another one is not known here, any member may know more:
		// that this machine is dead, too.
		m := &v.Members[i]
		if m.Nonce == r.e.nonce || m.ID != v.Directory && hears {
			continue
		}
		if s := r.e.session(m.Nonce, m.MAC, m.IP); s != nil {
			s.keepOpen()
		}
	}
	r.goOnAlone()
}

// hearsDirectory reports whether the directory is another machine that has been
// heard of late.
func (r *Rack) hearsDirectory(v *View) bool {
	d := v.member(v.Directory)
	if d == nil {
		return false
	}
	s := r.e.peers.Load().byNonce[d.Nonce]
	return s != nil && s.isOpen() && s.silentFor() < r.e.limit
}

// pause waits, unless the rack is closed meanwhile.
func (r *Rack) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.ctx.Done():
		return false
	}
}
