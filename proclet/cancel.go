package proclet

import (
	"encoding/binary"
	"fmt"

	"nuos/rack"
)

// Cancel says that nobody wants the result any more. Wait returns ErrCancelled from now on,
// unless the call has ended; the method, wherever it is by now, learns it from
// [Thread.Err], and calls that it begins from then on fail with ErrCancelled. It is not interrupted otherwise. Cancel
// does not wait.
func (f *Future[R]) Cancel() {
	select {
	case <-f.done:
		return
	default:
	}
	f.cancel.Do(func() {
		close(f.cancelled)
		if f.sent.seq != 0 {
			b := appendID([]byte{messageCancel}, f.to)
			b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(f.sent.number)), f.sent.seq)
			go f.rt.ask(f.to, b) // an error says that it has ended, one way or the other
		}
	})
}

// answerCancel takes note that the result of a call is not wanted.
func (rt *Runtime) answerCancel(from rack.MachineID, d *decoder) ([]byte, error) {
	id, err := d.id()
	if err != nil {
		return nil, err
	}
	n, err := d.uint()
	if err != nil {
		return nil, err
	}
	seq, err := d.uint()
	if err != nil || n > 1<<32-1 {
		return nil, fmt.Errorf("%w: slot %d", errMalformed, n)
	}
	r := rt.enter(&rt.outside, id)
	if r == nil {
		return rt.away(id), nil
	}
	defer r.gate.uncount()
	r.once.setCancelled(callID{from, uint32(n), seq})
	return []byte{answerDone}, nil
}

// setCancelled takes note that nobody wants the answer to a call, if that is being
// executed.
func (o *once) setCancelled(c callID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := *o.table.find(c.caller, c.slot)
	if e != nil && e.seq == c.seq && e.state == onceRunning && !e.cancel {
		e.cancel = true
		o.table.cancels.Add(1)
	}
}

// isCancelled reports whether nobody wants the answer to a call.
func (o *once) isCancelled(c callID) bool {
	if o.table.cancels.Load() == 0 {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	e := *o.table.find(c.caller, c.slot)
	return e != nil && e.seq == c.seq && e.cancel
}

// mayBeCancelled is cancelled, but for cancels of other calls of the proclet. It costs
// some loads.
func (t *Thread) mayBeCancelled() bool {
	return residentAt(t.entered[0]).once.table.cancels.Load() != 0
}

// cancelled reports whether nobody wants the result of the call that t executes,
// or of the one that this part of its stack began with.
func (t *Thread) cancelled() bool {
	r := residentSlot(t.entered[0], false).Load()
	return r.once.isCancelled(t.root.call)
}
