package rack

import (
	"context"
)

// Drain announces that this machine takes nothing new. What is on it stays
// until somebody moves it; OnDrain says who.
func (r *Rack) Drain(ctx context.Context) error {
	r.mu.Lock()
	id := MachineID(r.e.id.Load())
	r.mu.Unlock()
	_, err := r.askDirectory(ctx, &directoryMessage{Op: opDrain, ID: id})
	return err
}

// OnDrain has f called, once, when this machine is to be emptied.
func (r *Rack) OnDrain(f func()) {
	r.mu.Lock()
	draining := r.draining
	r.onDrain.Store(&f)
	r.mu.Unlock()
	if draining {
		r.events.post(f)
	}
}

// Leave takes this machine out of the rack and closes it. What still lives on
// it is lost; drain it before. Machines may leave in any order, all at once,
// too, and the last one as well. An error says that the others may not know; it
// is ErrNoDirectory if so many of them are silent that nothing can be decided.
func (r *Rack) Leave(ctx context.Context) error {
	_, err := r.askDirectory(ctx, &directoryMessage{Op: opLeave, ID: MachineID(r.e.id.Load())})
	if err == nil {
		r.tellLast(ctx)
	}
	r.Close()
	return err
}

// hasLeft reports whether it is decided that this machine has left.
func (r *Rack) hasLeft() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.view.left(r.e.nonce)
}

// tellLast makes the last view of a machine that leaves known to all who remain,
// if it was the directory or completed the view itself; they elect another
// directory. Then it waits, while there is hope, until everybody has what this
// machine had to say: that a machine has left may be known to nobody else.
func (r *Rack) tellLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.config.Dead)
	defer cancel()
	r.mu.Lock()
	v := r.view
	r.mu.Unlock()
	if v.left(r.e.nonce) && (v.Directory == 0 || v.Directory == MachineID(r.e.id.Load())) {
		answers := 0
		to := r.others(&v)
		r.canvass(ctx, to, &viewMessage{Op: opCommit, View: &v}, func(uint64, *viewAnswer) bool {
			answers++
			return answers == len(to)
		})
	}
	for ctx.Err() == nil {
		all := len(r.waitingLeavers()) == 0
		for _, s := range r.e.peers.Load().byNonce {
			all = s.lastWords() && all
		}
		if all || !r.pause(ackDelay) {
			return
		}
	}
}

// leaver notes that a machine waits to hear from us that it has left, or that it
// has heard. It hears in the answer to its request, if that is here; if it asked
// a directory that lost its office, at the next tick.
func (r *Rack) leaver(id MachineID, waits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if waits {
		r.leavers[id] = true
	} else {
		delete(r.leavers, id)
	}
}

// waitingLeavers returns the sessions with those machines that have left and
// still wait to hear it.
func (r *Rack) waitingLeavers() (all []*session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.leavers {
		m := r.view.wasHere(id)
		if m == nil {
			continue // not yet
		}
		s := r.e.peers.Load().byNonce[m.Nonce]
		if !m.Left || s == nil || s.silentFor() >= r.e.limit {
			delete(r.leavers, id)
			continue
		}
		all = append(all, s)
	}
	return all
}

// tellLeavers tells them.
func (r *Rack) tellLeavers() {
	for _, s := range r.waitingLeavers() {
		r.spawn(func() {
			ctx, cancel := context.WithTimeout(r.ctx, r.config.Dead)
			defer cancel()
			r.mu.Lock()
			v := r.view
			r.mu.Unlock()
			if _, err := callView(ctx, s, &viewMessage{Op: opCommit, View: &v}); err == nil {
				r.leaver(MachineID(s.id.Load()), false)
			}
		})
	}
}

// serveDrain lets an observer drain this machine.
func (r *Rack) serveDrain(q Request) {
	if err := r.Drain(r.ctx); err != nil {
		q.Fail(err)
		return
	}
	q.Reply(nil)
}
