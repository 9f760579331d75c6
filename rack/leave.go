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
// it is lost; drain it before.
func (r *Rack) Leave(ctx context.Context) error {
	_, err := r.askDirectory(ctx, &directoryMessage{Op: opLeave, ID: MachineID(r.e.id.Load())})
	if err == nil {
		// The directory that leaves tells the others, who elect another.
		r.tellLast(ctx)
	}
	r.Close()
	return err
}

// tellLast makes the last view of a directory that leaves known to all who
// remain.
func (r *Rack) tellLast(ctx context.Context) {
	r.mu.Lock()
	v := r.view
	r.mu.Unlock()
	if v.byNonce(r.e.nonce) != nil {
		return // somebody else leads, and has not told us yet
	}
	left := v.wasHere(MachineID(r.e.id.Load()))
	if left == nil || v.Directory != left.ID {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.Dead)
	defer cancel()
	answers := 0
	to := r.others(&v)
	r.canvass(ctx, to, &viewMessage{Op: opCommit, View: &v}, func(uint64, *viewAnswer) bool {
		answers++
		return answers == len(to)
	})
}

// serveDrain lets an observer drain this machine.
func (r *Rack) serveDrain(q Request) {
	if err := r.Drain(r.ctx); err != nil {
		q.Fail(err)
		return
	}
	q.Reply(nil)
}
