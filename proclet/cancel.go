package proclet

import (
	"encoding/binary"
	"fmt"
	"time"

	"nuos/rack"
)

// Cancel says that nobody wants the result any more. Wait returns ErrCancelled from now
// on, unless the call has ended. The method, wherever it is by now, learns it from
// [Thread.Err], and so do those that it waits for, because it has called them, and
// so on; calls that they begin from then on fail with ErrCancelled. They are not
// interrupted otherwise. What a method has begun with [Go] it cancels itself. Cancel does
// not wait.
func (f *Future[R]) Cancel() {
	select {
	case <-f.done:
		return
	default:
	}
	f.cancel.Do(func() {
		close(f.cancelled)
		if f.sent.seq != 0 {
			go f.rt.cancelCall(f.to, callID{f.rt.self, f.sent.number, f.sent.seq})
		}
	})
}

// pendingCall is what an expected knows of the call whose answer it is. It has no
// padding, whose bytes a copy would bring from the stack into the heap.
type pendingCall struct {
	to        ID
	of        callID // the call that has made it
	slot      uint32
	cancelled uint32 // 1: that has been passed on
}

// noteCall notes what call e is the answer to.
func (r *resident) noteCall(e *expected, c pendingCall) {
	r.mu.Lock()
	e.call = c
	r.mu.Unlock()
}

// patienceCancel is how long a call is looked for that is to be cancelled, and may not
// have arrived yet.
const patienceCancel = 2 * time.Second

// cancelCall tells the one who executes a call that nobody wants the answer.
func (rt *Runtime) cancelCall(to ID, c callID) {
	b := appendID([]byte{messageCancel}, to)
	for _, v := range [...]uint64{uint64(c.caller), uint64(c.slot), c.seq} {
		b = binary.AppendUvarint(b, v)
	}
	pause := time.Millisecond
	for since := time.Now(); time.Since(since) < patienceCancel; pause = min(2*pause, 50*time.Millisecond) {
		answer, err := rt.ask(to, b)
		if err != nil || answer[0] != answerDone {
			return // it has ended, one way or the other
		}
		if known, err := (&decoder{answer[1:]}).flag(); known || err != nil {
			return
		}
		time.Sleep(pause)
	}
}

// answerCancel takes note that the result of a call is not wanted, and answers
// whether the call is known.
func (rt *Runtime) answerCancel(d *decoder) ([]byte, error) {
	id, err := d.id()
	if err != nil {
		return nil, err
	}
	var v [3]uint64
	for i := range v {
		if v[i], err = d.uint(); err != nil {
			return nil, err
		}
	}
	if v[0] > 1<<32-1 || v[1] > 1<<32-1 {
		return nil, fmt.Errorf("%w: slot %d of machine %d", errMalformed, v[1], v[0])
	}
	r := rt.enter(&rt.outside, id)
	if r == nil {
		return rt.away(id), nil
	}
	defer r.gate.uncount()
	c := callID{rack.MachineID(v[0]), uint32(v[1]), v[2]}
	known := r.once.setCancelled(c)
	if !known {
		return appendFlag([]byte{answerDone}, false), nil
	}
	r.passOn(c)
	for _, addr := range insideWith(r.id.Addr) {
		if other := residentSlot(addr, false).Load(); other != nil && other != r {
			other.passOn(c)
		}
	}
	return appendFlag([]byte{answerDone}, true), nil
}

// passOn cancels what a call that is cancelled has called from this proclet. Whoever
// changes what is found here, by another call or by dividing a thread, looks afterwards
// whether it has been cancelled meanwhile.
func (r *resident) passOn(c callID) {
	r.alive.RLock()
	defer r.alive.RUnlock()
	if r.heap == nil || r.frozen != nil {
		return // nobody who runs on this machine is inside
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.head.expectations.buckets {
		for ; e != nil; e = e.link {
			if e.call.of == c && e.len == 0 && e.call.cancelled == 0 && !e.call.to.IsZero() {
				e.call.cancelled = 1
				go r.rt.cancelCall(e.call.to, callID{e.agent, e.call.slot, e.seq})
			}
		}
	}
}

// reassign makes the calls that t waits for in r, as a part of the call old, those of the
// call by.
func (r *resident) reassign(t *Thread, old, by callID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.head.expectations.buckets {
		for ; e != nil; e = e.link {
			if e.thread == t && e.call.of == old && !e.call.to.IsZero() {
				e.call.of = by
			}
		}
	}
}

// setCancelled takes note that nobody wants the answer to a call, if that is being
// executed, and reports whether it is or was.
func (o *once) setCancelled(c callID) (known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := *o.table.find(c.caller, c.slot)
	if e != nil && e.seq == c.seq && e.state == onceRunning && !e.cancel {
		e.cancel = true
		o.table.cancels.Add(1)
	}
	return e != nil && e.seq >= c.seq
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
