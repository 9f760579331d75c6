package migrate

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"nuos/proclet"
	"nuos/rack"
)

// Report tells of a move that was made.
type Report struct {
	ID    proclet.ID
	From  rack.MachineID
	To    rack.MachineID
	Bytes uint64        // sent
	Pause time.Duration // from closing the gate to the proclet running at the destination, as the source sees it

	Rounds uint64 // in which it was copied while it ran
	Again  uint64 // of Bytes, what was sent more than once
}

// transferBound is how long the bytes may take, at least, before the move is given up; see
// patience.
const transferBound = 30 * time.Second

// retry is how long the source waits before it says commit or abort again. The
// transport repeats lost frames itself; this is for calls that it gave up.
const retry = 100 * time.Millisecond

// Move moves a proclet of this machine to another and returns when it runs
// there. Moves of different proclets may go on at once.
//
// With any error but ErrLost the proclet is here and serves, or it was not here
// at all (proclet.ErrNoProclet). proclet.ErrPinned, proclet.ErrBusy, proclet.ErrHeld, ErrRefused,
// ErrTransfer, ErrNoMachine, ErrSameMachine say what stood in the way. ctx bounds
// the time until the commit; after that Move stays until it is over.
func (m *Migrator) Move(ctx context.Context, id proclet.ID, to rack.MachineID) (Report, error) {
	if err := m.checkDestination(to); err != nil {
		return Report{}, err
	}
	if !m.take(id) {
		return Report{}, proclet.ErrBusy
	}
	number := m.begin(to)
	defer m.end(to, number)
	copied, err := m.precopy(ctx, number, id, to)
	if err != nil {
		m.stays(id, number, to, copied)
		return Report{}, err
	}
	start := time.Now()
	if err := m.proclets.BeginLeave(id, m.leave); err != nil {
		m.stays(id, number, to, copied)
		return Report{}, err
	}
	at := m.took.since(phaseClose, id, start)
	d, err := m.proclets.Describe(id)
	if err != nil {
		m.proclets.Reopen(id)
		m.stays(id, number, to, copied)
		return Report{}, err
	}
	at = m.took.since(phaseDescribe, id, at)
	msg := message{op: opAnnounce, number: number, round: copied.rounds, proclet: d}
	if err := m.send(ctx, to, msg); err != nil {
		if untold := m.tell(message{op: opAbort, number: number}, to); untold != nil && !errors.Is(untold, rack.ErrLost) {
			m.release(id)
			return Report{}, untold // fenced: the gate stays closed for good
		}
		m.proclets.Reopen(id)
		copied.announced = false // nothing is left there
		m.stays(id, number, to, copied)
		return Report{}, err
	}
	sent := size(d.Changed)
	at = m.took.sent(phaseSend, id, at, sent)
	// From here on the proclet is the destination's, whatever happens.
	cleared := m.leaves(id)
	m.release(id)
	err = m.tell(message{op: opCommit, number: number}, to)
	at = m.took.since(phaseCommit, id, at)
	report := Report{ID: id, From: m.network.Self().ID, To: to, Pause: at.Sub(start), Rounds: copied.rounds, Bytes: copied.bytes + sent}
	report.Again = report.Bytes - min(report.Bytes, size(d.Used))
	m.clear(id, cleared, m.proclets.Depart(id, to))
	if err != nil {
		m.count(func(s *Stats) { s.Lost++ })
		m.log("proclet %v is lost: machine %d owned it: %v", id, to, err)
		return report, fmt.Errorf("%w: %w", ErrLost, err)
	}
	m.made(report)
	return report, nil
}

// stays ends a move of a proclet that serves here and goes on to. The destination may have memory
// for it.
func (m *Migrator) stays(id proclet.ID, number uint64, to rack.MachineID, copied precopied) {
	if copied.begun {
		m.proclets.EndCopy(id)
	}
	m.release(id)
	m.count(func(s *Stats) { s.GivenUp++ })
	if copied.announced {
		m.tell(message{op: opAbort, number: number}, to) // or nobody will ever hear of it
	}
}

// take has no other move of a proclet begin until release. It reports false if one is under way.
func (m *Migrator) take(id proclet.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.moving[id] {
		return false
	}
	m.moving[id] = true
	return true
}

func (m *Migrator) release(id proclet.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.moving, id)
}

// leaves remembers that a proclet leaves, until the channel is closed: it may run at its
// destination, and be on its way back, before this machine has heard of that, and then waits
// for its addresses.
func (m *Migrator) leaves(id proclet.ID) (cleared chan struct{}) {
	cleared = make(chan struct{})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clearing[id] = cleared
	return cleared
}

// clear ends what leaves began when the memory of the proclet has been given back.
func (m *Migrator) clear(id proclet.ID, cleared chan struct{}, freed <-chan struct{}) {
	start := time.Now()
	go func() {
		<-freed
		m.took.since(phaseClear, id, start)
		m.mu.Lock()
		defer m.mu.Unlock()
		close(cleared)
		if m.clearing[id] == cleared {
			delete(m.clearing, id)
		}
	}()
}

func (m *Migrator) checkDestination(to rack.MachineID) error {
	if to == m.network.Self().ID {
		return ErrSameMachine
	}
	for _, member := range m.network.Members() {
		if member.ID == to {
			return nil
		}
	}
	return fmt.Errorf("%w: %d", ErrNoMachine, to)
}

// send announces the proclet, or a round of copying, and sends its bytes. The announcement is
// answered when the destination has them, so both go on at once: what says that it
// accepted is its first grant, or that it has everything.
func (m *Migrator) send(ctx context.Context, to rack.MachineID, msg message) error {
	ctx, cancel := m.patience.context(ctx)
	defer cancel()
	msg.floor, msg.transfer = m.floor(to), m.network.NewTransfer()
	sendBulk := m.network.SendBulk
	switch {
	case msg.op == opCopy:
		sendBulk = m.network.SendChanging
	case msg.isSmall():
		sendBulk = m.network.PushBulk
	}
	announced := m.announce(to, msg.append(nil), cancel)
	bulk := sendBulk(ctx, to, msg.transfer, msg.proclet.Changed) // whatever happens, the pages are the NIC's until it returns
	if bulk != nil {
		cancel()
	}
	m.network.Linger(&announced.over)
	err := announced.wait(ctx)
	var remote *rack.RemoteError
	switch {
	case errors.As(err, &remote):
		return fmt.Errorf("%w: %s", ErrRefused, remote.Text)
	case bulk != nil && !errors.Is(bulk, context.Canceled):
		return fmt.Errorf("%w: %w", ErrTransfer, bulk)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrTransfer, err)
	}
	return nil
}

// announcement is one that has not been answered yet.
type announcement struct {
	over   atomic.Bool
	answer chan error
}

// announce sends an announcement. cancel is called if it fails. No other goroutine is
// needed for that, as a rule.
func (m *Migrator) announce(to rack.MachineID, req []byte, cancel func()) *announcement {
	a := &announcement{answer: make(chan error, 1)}
	answered := func(_ []byte, err error) {
		a.over.Store(true)
		a.answer <- err
		if err != nil {
			cancel()
		}
	}
	if !m.network.Begin(to, rack.ServiceMigrate, req, answered) {
		go func() {
			ctx, cancel := m.patience.context(context.Background())
			defer cancel()
			answered(m.network.Call(ctx, to, rack.ServiceMigrate, req))
		}()
	}
	return a
}

// wait returns the answer, or why there is none so far.
func (a *announcement) wait(ctx context.Context) error {
	select {
	case err := <-a.answer:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-a.answer: // which is why ctx was cancelled
		return err
	default:
		return ctx.Err()
	}
}

// tell says msg to a machine until that has acknowledged it. It returns an error
// only when no acknowledgement can ever come: the machine is dead (rack.ErrLost),
// this one is (rack.ErrFenced, rack.ErrClosed), or it answers that it cannot.
func (m *Migrator) tell(msg message, to rack.MachineID) error {
	for {
		msg.floor = m.floor(to)
		told := m.announce(to, msg.append(nil), func() {})
		m.network.Linger(&told.over)
		ctx, cancel := context.Background(), func() {}
		if !told.over.Load() { // it is, as a rule, and contexts take their time
			ctx, cancel = m.patience.context(ctx)
		}
		err := told.wait(ctx)
		cancel()
		var remote *rack.RemoteError
		if err == nil || errors.Is(err, rack.ErrLost) || errors.Is(err, rack.ErrFenced) ||
			errors.Is(err, rack.ErrClosed) || errors.As(err, &remote) {
			return err
		}
		m.log("telling machine %d how move %d ends: %v; trying again", to, msg.number, err)
		time.Sleep(retry)
	}
}

// begin numbers a move.
func (m *Migrator) begin(to rack.MachineID) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.number++
	if m.leaving[to] == nil {
		m.leaving[to] = map[uint64]bool{}
	}
	m.leaving[to][m.number] = true
	return m.number
}

func (m *Migrator) end(to rack.MachineID, number uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.leaving[to], number)
}

// floor returns the lowest number of a move to a machine that is not over.
func (m *Migrator) floor(to rack.MachineID) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	floor := m.number + 1
	for number := range m.leaving[to] {
		floor = min(floor, number)
	}
	return floor
}
