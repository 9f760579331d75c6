package proclet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"nuos/mm"
	"nuos/rack"
)

// SimMigrator is a migrator as simulations use it. NewSimMigrator makes one for a host that is
// its migrate.Network and its migrate.Proclets; it is set from outside, since package migrate imports this one.
type SimMigrator interface {
	Move(ctx context.Context, id ID, to rack.MachineID) error
	Receive(from rack.MachineID, data []byte, answer func(error))
	Died(id rack.MachineID)
}

var NewSimMigrator func(host any) SimMigrator

// The machines of a process share its addresses, so the bytes of a proclet cannot be
// at two machines at once. What a migrator of a simulated machine prepares is therefore
// only expected at first, and its bytes are put aside; when it is adopted, its source,
// which has frozen it, has to let go of it before it says so itself.

// simArrival is a proclet that is expected, or copied while it runs elsewhere.
type simArrival struct {
	d     Description
	calls *arrival           // has calls wait; nil while it runs
	pages map[mm.Virt][]byte // that have come
	bytes [][]byte           // all of them
}

// Weigh has every other proclet copied while it runs.
func (m *simMachine) Weigh(id ID) (bytes uint64, used bool) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	return mm.MaxHeap, m.w.hash("is copied while it runs", 50)
}

func (m *simMachine) BeginCopy(id ID, stop func()) error {
	err := m.rt.BeginCopy(id, stop)
	m.note(id, "begins to be copied: %v", err)
	return err
}

func (m *simMachine) Changes(id ID) (Description, error) {
	d, err := m.rt.Changes(id)
	m.note(id, "has changed in %d places: %v", len(d.Changed), err)
	return d, err
}

func (m *simMachine) Copied(id ID) { m.rt.Copied(id) }

func (m *simMachine) EndCopy(id ID) {
	m.note(id, "is not copied any more")
	m.rt.EndCopy(id)
}

func (m *simMachine) BeginLeave(id ID, bound time.Duration) error {
	m.note(id, "is asked to leave")
	err := m.rt.BeginLeave(id, bound)
	if err != nil {
		m.note(id, "does not leave: %v", err)
	} else {
		m.note(id, "is frozen")
	}
	return err
}

func (m *simMachine) Describe(id ID) (Description, error) { return m.rt.Describe(id) }

func (m *simMachine) Reopen(id ID) {
	if r := m.rt.find(id); r == nil {
		m.w.breaks("%v keeps %v, which is not there", m, id)
		return
	}
	m.note(id, "stays")
	m.rt.Reopen(id)
}

func (m *simMachine) Depart(id ID, to rack.MachineID) <-chan struct{} {
	m.w.mu.Lock()
	evicted := m.evicted[id]
	delete(m.evicted, id)
	m.w.mu.Unlock()
	if evicted {
		freed := make(chan struct{})
		close(freed)
		return freed // its new owner has seen to it
	}
	if !m.w.machine(to).dead {
		m.w.breaks("%v lets go of %v, which nobody has adopted", m, id)
	}
	m.note(id, "is lost")
	m.w.gone = append(m.w.gone, id)
	return m.rt.Depart(id, to)
}

func (m *simMachine) Reserve(d Description) error { return m.expect(d, nil) }

func (m *simMachine) Prepare(d Description) error {
	return m.expect(d, &arrival{d: d, since: machineClock(), over: make(chan struct{})})
}

// expect expects a proclet, or the next bytes of one.
func (m *simMachine) expect(d Description, calls *arrival) error {
	w := m.w
	w.mu.Lock()
	defer w.mu.Unlock()
	a := m.coming[d.ID]
	delete(m.coming, d.ID)
	if w.profile.refusals && w.hash("no room", 12) {
		return mm.ErrNoMemory
	}
	m.rt.mu.Lock()
	defer m.rt.mu.Unlock()
	if m.rt.arriving[d.ID] != nil || m.rt.find(d.ID) != nil || m.evicted[d.ID] {
		return ErrBusy
	}
	if a == nil {
		a = &simArrival{pages: map[mm.Virt][]byte{}}
	}
	a.d, a.calls = d, calls
	maps.DeleteFunc(a.pages, func(v mm.Virt, _ []byte) bool {
		return !slices.ContainsFunc(d.Used, func(u mm.Range) bool { return u.Contains(v) })
	})
	m.coming[d.ID] = a
	if calls != nil {
		m.rt.arriving[d.ID] = calls
	}
	return nil
}

// take takes the bytes of a transfer. If they are the last the proclet has to be what it is
// at its source. Called with w.mu held.
func (a *simArrival) take(w *simWorld, src []mm.Range) {
	for _, r := range src {
		for v := r.Base; v < r.End(); v += mm.PageSize {
			a.pages[v] = slices.Clone(mm.Bytes(mm.Range{Base: v, Size: mm.PageSize}))
		}
	}
	if a.calls == nil {
		return
	}
	a.bytes = copyOut(a.d)
	for i, u := range a.d.Used {
		for at := uint64(0); at < u.Size; at += mm.PageSize {
			if v := u.Base + mm.Virt(at); !bytes.Equal(a.pages[v], a.bytes[i][at:at+mm.PageSize]) {
				w.wrong = append(w.wrong, fmt.Sprintf("page %#x of %s is not what has come", v, w.name(a.d.ID)))
			}
		}
	}
}

func (m *simMachine) Discard(id ID) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if a := m.coming[id]; a == nil {
		m.w.wrong = append(m.w.wrong, fmt.Sprintf("%v gives up %v, which it does not expect", m, id))
	} else {
		m.w.say("%v gives up %s", m, m.w.name(id))
		m.forget(a)
		if a.calls != nil {
			close(a.calls.over)
		}
	}
}

// forget ends an expectation. Called with w.mu held.
func (m *simMachine) forget(a *simArrival) {
	delete(m.coming, a.d.ID)
	m.rt.mu.Lock()
	delete(m.rt.arriving, a.d.ID)
	m.rt.mu.Unlock()
}

func (m *simMachine) Verify(id ID) error {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if a := m.coming[id]; a == nil || a.bytes == nil || m.w.profile.refusals && m.w.hash("bytes are bad", 8) {
		return mm.ErrHeapCorrupt
	}
	return nil
}

func (m *simMachine) Adopt(id ID) error {
	w := m.w
	w.mu.Lock()
	a := m.coming[id]
	if a == nil || a.bytes == nil {
		w.mu.Unlock()
		w.breaks("%v adopts %v without its bytes", m, id)
		return ErrNoProclet
	}
	w.say("%v adopts %s", m, w.name(id))
	w.mu.Unlock()
	r := residentSlot(id.Addr, false).Load()
	if r == nil || r.id != id {
		w.breaks("%v adopts %v, which lives nowhere", m, id)
		return ErrNoProclet
	}
	if r.leaving.Load() == nil || !r.gate.closed() || r.frozen == nil {
		w.breaks("%v adopts %v, which runs at %v", m, id, w.machine(r.rt.self))
	}
	if moves := r.moves; moves != a.d.Moves {
		w.breaks("%v adopts %v, which has moved %d times, as it was after %d", m, id, moves, a.d.Moves)
	}
	<-r.rt.Depart(id, m.id)
	w.mu.Lock()
	w.host(r.rt).evicted[id] = true
	m.forget(a)
	w.mu.Unlock()
	defer close(a.calls.over) // whoever waits finds it, or looks elsewhere
	if err := m.rt.Prepare(a.d); err != nil {
		w.breaks("%v: %v", m, err)
		return err
	}
	copyIn(a.d, a.bytes)
	m.rt.arriving[id].since = a.calls.since
	err := m.rt.Verify(id)
	if err == nil {
		err = m.rt.Adopt(id)
	}
	if err != nil {
		w.breaks("%v cannot adopt %v: %v", m, id, err)
	}
	return err
}

func (m *simMachine) NewTransfer() uint64 {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.transfers++
	return m.transfers
}

// simBulk is a transfer of the bytes of a proclet.
type simBulk struct {
	src, dst []mm.Range
	to       *simMachine
	sent     chan error // nil until there is a sender; then room for one
	received chan error
}

var errSimTransfer = errors.New("the transfer has failed")

// transfer joins the two ends of a transfer. Called with mu held.
func (w *simWorld) transfer(from, to *simMachine, number uint64) *simBulk {
	k := [2]uint64{uint64(from.id), number}
	b := w.bulks[k]
	if b == nil {
		b = &simBulk{to: to}
		w.bulks[k] = b
		able := func() bool { return b.sent != nil && b.received != nil && !from.cut && !to.cut }
		w.may(fmt.Sprintf("%v>%v bytes", from, to), able, func() { w.carry(b) })
	}
	return b
}

// carry moves the bytes, if both sides are still there.
func (w *simWorld) carry(b *simBulk) {
	refused := w.profile.refusals && w.chance(15)
	half := w.chance(50)
	w.mu.Lock()
	defer w.mu.Unlock()
	if b.src == nil || b.dst == nil {
		return
	}
	if !refused || half {
		for _, a := range b.to.coming {
			if a.d.heap().Contains(b.dst[0].Base) {
				a.take(w, b.src)
			}
		}
	}
	switch {
	case !refused:
		b.sent <- nil
		b.received <- nil
	case half: // the last acknowledgement is lost
		b.sent <- errSimTransfer
		b.received <- nil
	default:
		b.sent <- nil
		b.received <- errSimTransfer
	}
}

func (m *simMachine) SendBulk(ctx context.Context, to rack.MachineID, transfer uint64, src []mm.Range) error {
	w := m.w
	w.mu.Lock()
	b := w.transfer(m, w.machine(to), transfer)
	b.src, b.sent = src, make(chan error, 1)
	w.mu.Unlock()
	err := w.await(ctx, b.sent)
	w.mu.Lock()
	b.src = nil
	w.mu.Unlock()
	return err
}

func (m *simMachine) PushBulk(ctx context.Context, to rack.MachineID, transfer uint64, src []mm.Range) error {
	return m.SendBulk(ctx, to, transfer, src)
}

func (m *simMachine) BeginReceive(from rack.MachineID, transfer uint64, dst []mm.Range, late bool, done func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	k := [2]uint64{uint64(from), transfer}
	m.w.mu.Lock()
	m.receiving[k] = cancel
	m.w.mu.Unlock()
	go func() { done(m.ReceiveBulk(ctx, from, transfer, dst)) }()
}

func (m *simMachine) AbortReceive(from rack.MachineID, transfer uint64) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if cancel := m.receiving[[2]uint64{uint64(from), transfer}]; cancel != nil {
		cancel()
	}
}

func (m *simMachine) SendChanging(ctx context.Context, to rack.MachineID, transfer uint64, src []mm.Range) error {
	return m.SendBulk(ctx, to, transfer, src)
}

func (m *simMachine) ReceiveBulk(ctx context.Context, from rack.MachineID, transfer uint64, dst []mm.Range) error {
	w := m.w
	w.mu.Lock()
	b := w.transfer(w.machine(from), m, transfer)
	b.dst, b.received = dst, make(chan error, 1)
	w.mu.Unlock()
	err := w.await(ctx, b.received)
	w.mu.Lock()
	b.dst = nil
	w.mu.Unlock()
	return err
}

func (w *simWorld) await(ctx context.Context, c chan error) error {
	select {
	case err := <-c:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// note adds to the trace what a proclet does here.
func (m *simMachine) note(id ID, format string, args ...any) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.w.say("%v: %s %s", m, m.w.name(id), fmt.Sprintf(format, args...))
}
