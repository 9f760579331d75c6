package rack

import (
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
	r.acceptor.accept(v) // what is decided need not be accepted, but may
	r.view = *v
	r.sessions.Store(&map[MachineID]*session{})
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
	if r.directory != nil && (us == nil || v.Directory != us.ID || v.Epoch != r.directory.epoch) {
		r.directory = nil // another leads
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
	if v.member(v.Directory) == nil && us != nil {
		r.stand() // the directory has left
	}
}

// fenced ends this incarnation, which the others have declared dead.
func (r *Rack) fenced(why string) {
	r.mu.Lock()
	already := r.closed || r.isFenced
	r.isFenced = true
	r.directory = nil
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
	leading := r.directory != nil
	now := r.e.now()
	for n, s := range r.searchers {
		if now-s.heard > helloMemory {
			delete(r.searchers, n)
		}
	}
	r.mu.Unlock()

	hear := map[uint64]bool{r.e.nonce: true}
	var dead []MachineID
	for _, s := range r.e.peers.Load().byNonce {
		silent := s.tick()
		m := v.byNonce(s.nonce)
		switch {
		case m == nil:
			if silent > 3*r.e.limit { // a machine that left, an observer or searcher that went away
				r.e.remove(s, ErrUnreachable)
			}
		case silent < r.e.limit:
			hear[s.nonce] = true
		default:
			dead = append(dead, m.ID)
		}
	}
	r.tellLeavers()
	us := v.byNonce(r.e.nonce)
	if us == nil {
		return
	}
	if leading {
		r.tickDirectory(&v, hear, dead)
		return
	}
	d := v.member(v.Directory)
	if d != nil && d.Nonce != r.e.nonce {
		// Silence is noticed in an open session only.
		if s := r.e.session(d.Nonce, d.MAC, d.IP); s != nil {
			s.keepOpen()
		}
	}
	r.mu.Lock()
	suspect := d == nil || r.rebooted[d.Nonce] || d.Nonce == r.e.nonce
	if !suspect {
		s := r.e.peers.Load().byNonce[d.Nonce]
		suspect = s == nil || s.silentFor() >= r.e.limit
	}
	r.mu.Unlock()
	if suspect {
		r.stand()
	}
}

// stand has this machine stand for election after a moment.
func (r *Rack) stand() {
	r.mu.Lock()
	if r.standing || r.closed {
		r.mu.Unlock()
		return
	}
	r.standing = true
	r.mu.Unlock()
	r.spawn(func() {
		r.pause(r.electionDelay())
		r.takeOver()
		r.mu.Lock()
		r.standing = false
		r.mu.Unlock()
	})
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
