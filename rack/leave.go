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

// dismiss lets a machine leave. It must not vote any more when it goes, nor lead:
// before the directory leaves itself it hands over to another machine that stays,
// or waits until it is the last.
func (r *Rack) dismiss(ctx context.Context, id MachineID) (*directoryAnswer, error) {
	d := &r.directory
	for {
		r.mu.Lock()
		v := r.view
		r.mu.Unlock()
		if gone := v.wasHere(id); gone != nil && gone.Left {
			return &directoryAnswer{}, nil // that needs no directory any more
		}
		m := v.member(id)
		if m == nil {
			return nil, ErrFenced
		}
		d.mu.Lock()
		p := d.replica
		if p == nil || !p.leads() {
			d.mu.Unlock()
			return nil, ErrNoDirectory
		}
		if m.Leaving && m.Nonce == p.id {
			p.handOver(&v)
		}
		free := !p.votes(m.Nonce) || len(v.Members) == 1
		d.mu.Unlock()
		d.kick()
		op := opLeaving
		switch {
		case m.Leaving && !free:
			if !r.pause(r.config.electionTick()) || ctx.Err() != nil {
				return nil, ErrNoDirectory
			}
			continue
		case m.Leaving:
			op = opLeave
		}
		if a, err := r.decide(ctx, command{directoryMessage: directoryMessage{Op: op, ID: id}}); err != nil || op == opLeave {
			return a, err
		}
	}
}

// tellLast waits, while there is hope, until everybody has what this machine had
// to say: if it is the last one, that another has left may be known to nobody
// else.
func (r *Rack) tellLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.config.Dead)
	defer cancel()
	for ctx.Err() == nil {
		all := true
		r.mu.Lock()
		if len(r.view.Members) == 0 {
			all = len(r.waitingLeavers()) == 0
		}
		r.mu.Unlock()
		if !all {
			r.tell()
		}
		for _, s := range r.e.peers.Load().byNonce {
			all = s.lastWords() && all
		}
		if all || !r.pause(ackDelay) {
			return
		}
	}
}

// waitingLeavers returns the machines that have left and may still wait to hear
// it. One hears it in the answer to its request; if it asked a directory that
// lost its office, from the next one. Called with mu held.
func (r *Rack) waitingLeavers() (all []MemberRecord) {
	for _, m := range r.view.Gone {
		s := r.e.peers.Load().byNonce[m.Nonce]
		if m.Left && m.Nonce != r.e.nonce && !r.heard[m.Nonce] && s != nil && s.isOpen() && s.silentFor() < r.e.limit {
			all = append(all, m)
		}
	}
	return all
}

// heardLeave notes that a machine has heard that it has left.
func (r *Rack) heardLeave(id MachineID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.view.wasHere(id); m != nil {
		r.heard[m.Nonce] = true
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
