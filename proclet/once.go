package proclet

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"nuos/mm"
	"nuos/rack"
)

// A call from another machine has an identity: the incarnation that makes it,
// one of that machine's slots for the proclet, and a sequence number. A slot
// has one call at a time, and its next call says that the answer to the last one
// has arrived. So the table of identities and answers has as many entries as
// there were calls at once, and a call that comes again, after its answer was
// lost together with the machine that had sent it, finds its answer here.
//
// The table lies in the proclet's heap and moves with it.
type onceTable struct {
	buckets [32]*onceEntry
	kept    uint64       // bytes of answers that are too long for their entries
	cancels atomic.Int64 // calls that are being executed though nobody wants the answer
}

type onceEntry struct {
	next   *onceEntry
	caller rack.MachineID
	slot   uint32
	seq    uint64
	state  onceState
	cancel bool // nobody wants the answer
	unsent bool // done, and nobody has got the answer
	len    uint32
	long   unsafe.Pointer // the answer, if it is too long for short
	short  [48]byte
}

type onceState uint32

const (
	onceRunning onceState = iota
	onceDone              // the answer is there
	onceGone              // done, but there was no room to keep the answer
)

// callID is the identity of a call to some proclet.
type callID struct {
	caller rack.MachineID
	slot   uint32
	seq    uint64
}

// reply is who gets the answer to a request: a machine, or somebody here. The zero reply is
// nobody.
type reply struct {
	machine rack.Caller
	here    func(answer []byte) // called once; answer is lent; does not wait
}

func (r reply) wanted() bool { return r.here != nil || r.machine != rack.Caller{} }

// give gives the answer, which is lent. It does not wait.
func (r reply) give(answer []byte) {
	if r.here != nil {
		r.here(answer)
	} else {
		r.machine.Reply(answer)
	}
}

// replies are those to all requests for one answer: hardly ever more than one.
type replies struct {
	first  reply
	others []reply
}

func (s replies) and(r reply) replies {
	if !s.first.wanted() {
		return replies{first: r}
	}
	s.others = append(s.others, r)
	return s
}

// all answers all.
func (s replies) all(answer []byte) {
	if !s.first.wanted() {
		return
	}
	s.first.give(answer)
	for _, r := range s.others {
		r.give(answer)
	}
}

// once is the exactly-once table of a resident with what guards it, and the
// requests of this machine that wait for the end of a call. Those do not move:
// when the proclet leaves they are sent after it.
type once struct {
	mu    sync.Mutex
	heap  *mm.Heap
	table *onceTable
	asked map[callID]replies
}

func (o *once) init(h *mm.Heap, t *onceTable) {
	o.heap, o.table, o.asked = h, t, map[callID]replies{}
}

func (t *onceTable) bucket(caller rack.MachineID, slot uint32) **onceEntry {
	return &t.buckets[(uint32(caller)*31+slot)%uint32(len(t.buckets))]
}

// find returns the link that points to the entry of a slot, or to nil.
func (t *onceTable) find(caller rack.MachineID, slot uint32) **onceEntry {
	p := t.bucket(caller, slot)
	for *p != nil && ((*p).caller != caller || (*p).slot != slot) {
		p = &(*p).next
	}
	return p
}

// begin registers a call, and its request if it has one. If it was executed
// before, its answer is returned instead. If it is being executed the request waits for its end.
// The call is to be executed if begun is true.
func (o *once) begin(c callID, r reply) (answer []byte, begun bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.table.find(c.caller, c.slot)
	e := *p
	switch {
	case e == nil:
		m, err := o.heap.AllocReserved(uint64(unsafe.Sizeof(onceEntry{})))
		if err != nil {
			return nil, false, err
		}
		e = (*onceEntry)(m)
		*e = onceEntry{caller: c.caller, slot: c.slot}
		*p = e
	case c.seq < e.seq:
		return []byte{answerGone}, false, nil // its caller has gone on: nobody reads this
	case c.seq == e.seq:
		return o.request(e, c, r), false, nil
	case e.state == onceRunning:
		return nil, false, fmt.Errorf("%w: slot %d has two calls", errMalformed, c.slot)
	default:
		o.forget(e)
	}
	e.seq, e.state = c.seq, onceRunning
	o.request(e, c, r)
	return nil, true, nil
}

// await registers a request for the answer of a call that was begun before, or
// returns it.
func (o *once) await(c callID, r reply) (answer []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := *o.table.find(c.caller, c.slot)
	if e == nil || e.seq != c.seq {
		return []byte{answerGone}
	}
	return o.request(e, c, r)
}

// knows reports whether a call has begun.
func (o *once) knows(c callID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := *o.table.find(c.caller, c.slot)
	return e != nil && e.seq == c.seq
}

// unsent calls f with all answers that nobody has got.
func (o *once) unsent(f func(c callID, answer []byte)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.table.buckets {
		for ; e != nil; e = e.next {
			if e.unsent {
				f(callID{e.caller, e.slot, e.seq}, e.answer())
			}
		}
	}
}

// request returns e's answer, or has the request wait for it. Called with mu
// held.
func (o *once) request(e *onceEntry, c callID, r reply) (answer []byte) {
	if e.state != onceRunning {
		e.unsent = false
		return e.answer()
	}
	if r.wanted() {
		o.asked[c] = o.asked[c].and(r)
	}
	return nil
}

// end stores the answer of a call that begin has registered, and returns the
// requests for it.
func (o *once) end(c callID, answer []byte) (asked replies) {
	o.mu.Lock()
	defer o.mu.Unlock()
	asked = o.asked[c]
	delete(o.asked, c)
	e := *o.table.find(c.caller, c.slot)
	if e.cancel {
		e.cancel = false
		o.table.cancels.Add(-1)
	}
	e.state, e.len, e.unsent = onceDone, uint32(len(answer)), !asked.first.wanted()
	if len(answer) <= len(e.short) {
		copy(e.short[:], answer)
	} else if !o.keep(e, answer, asked.first.wanted()) {
		e.state = onceGone
	}
	return asked
}

// redirect answers all requests that still wait: the proclet has left.
func (o *once) redirect(answer []byte) {
	o.mu.Lock()
	all := o.asked
	o.asked = nil
	o.mu.Unlock()
	for _, asked := range all {
		asked.all(answer)
	}
}

// keep copies a long answer into the heap. One that is sent all the same is only
// needed again if the machine dies, so it is not kept if answers together would
// take more than a sixteenth of the heap: state comes first.
func (o *once) keep(e *onceEntry, answer []byte, sent bool) bool {
	if sent && o.table.kept+uint64(len(answer)) > o.heap.Range().Size/16 {
		return false
	}
	p, err := o.heap.AllocReservedBytes(uint64(len(answer)))
	if err != nil {
		return false
	}
	copy(unsafe.Slice((*byte)(p), len(answer)), answer)
	e.long = p
	o.table.kept += uint64(len(answer))
	return true
}

func (e *onceEntry) answer() []byte {
	switch {
	case e.state == onceGone:
		return []byte{answerGone}
	case e.long != nil:
		return append([]byte(nil), unsafe.Slice((*byte)(e.long), e.len)...)
	}
	return append([]byte(nil), e.short[:e.len]...)
}

// forget gives the memory of e's answer back. Called with mu held.
func (o *once) forget(e *onceEntry) {
	if e.long != nil {
		o.heap.Free(e.long)
		o.table.kept -= uint64(e.len)
		e.long = nil
	}
}

// release removes the entry of a slot whose caller has the answer to seq.
func (o *once) release(caller rack.MachineID, slot uint32, seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.table.find(caller, slot)
	if e := *p; e != nil && e.seq <= seq && e.state != onceRunning {
		o.remove(p)
	}
}

// forgetDead removes the answers to machines that will not ask for them.
func (o *once) forgetDead(dead func(rack.MachineID) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.table.buckets {
		for p := &o.table.buckets[i]; *p != nil; {
			if e := *p; e.state != onceRunning && dead(e.caller) {
				o.remove(p)
			} else {
				p = &e.next
			}
		}
	}
}

// remove takes the entry that *p points to out of the table. Called with mu
// held.
func (o *once) remove(p **onceEntry) {
	e := *p
	*p = e.next
	o.forget(e)
	o.heap.Free(unsafe.Pointer(e))
}
