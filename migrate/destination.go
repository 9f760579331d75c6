package migrate

import (
	"context"
	"fmt"
	"time"

	"nuos/proclet"
	"nuos/rack"
)

// stage is how far an arrival has come. It only ever goes forward.
type stage uint8

const (
	copying   stage = iota // memory is mapped for a proclet that runs elsewhere; bytes come in rounds
	receiving              // memory is mapped, the last bytes are coming
	prepared               // all bytes are here and sound; waits for commit
	adopted                // lives here
	givenUp                // never will; memory is given back
)

// arrival is the destination's side of a move.
type arrival struct {
	// Under Migrator.mu.
	stage   stage
	proclet proclet.Description
	round   uint64             // the next one
	mapped  bool               // there is memory, to be given back unless it is adopted
	cancel  context.CancelFunc // ends what bytes are coming
	over    chan struct{}      // closed when none are coming any more, one way or the other
}

// busy reports whether bytes are coming. Called with Migrator.mu held.
func (a *arrival) busy() bool {
	select {
	case <-a.over:
		return false
	default:
		return true
	}
}

// maxArrivals bounds how many proclets a machine receives at once.
const maxArrivals = 16

// Receive takes a message that another machine has sent to rack.ServiceMigrate. answer is called
// with the answer, nil for acknowledged, once: before Receive returns, or after as long as
// the bytes of a proclet take. Receive itself does not wait. data is lent.
func (m *Migrator) Receive(from rack.MachineID, data []byte, answer func(error)) {
	msg, err := parseMessage(data)
	if err != nil {
		answer(err)
		return
	}
	m.forget(from, msg.floor)
	switch msg.op {
	case opAnnounce, opCopy:
		if msg.isSmall() {
			m.announcedSmall(from, msg, answer)
		} else {
			go func() { answer(m.announced(from, msg)) }()
		}
	case opCommit:
		m.committed(from, msg.number, answer)
	default:
		go func() {
			m.aborted(from, msg.number)
			answer(nil)
		}()
	}
}

// announced takes in a proclet, or a part of it while it runs elsewhere. It returns nil when
// the proclet is prepared, or the part is there.
func (m *Migrator) announced(from rack.MachineID, msg message) error {
	ctx, cancel := m.patience.context(context.Background())
	defer cancel()
	a, over, err := m.enter(from, msg, cancel)
	if err != nil {
		return err
	}
	defer close(over)
	m.mu.Lock()
	freed := m.clearing[msg.proclet.ID]
	m.mu.Unlock()
	if freed != nil {
		<-freed
	}
	start := time.Now()
	err = m.mapFor(a, msg)
	if err == nil {
		start = m.took.since(phaseMap, msg.proclet.ID, start)
		err = m.network.ReceiveBulk(ctx, from, msg.transfer, msg.proclet.Changed)
	}
	return m.received(a, msg, start, err)
}

// mapFor maps memory for what has been announced.
func (m *Migrator) mapFor(a *arrival, msg message) (err error) {
	if msg.op == opCopy {
		err = m.proclets.Reserve(msg.proclet)
	} else {
		err = m.proclets.Prepare(msg.proclet)
	}
	m.mu.Lock()
	a.mapped = err == nil
	m.mu.Unlock()
	return err
}

// received ends the receiving of bytes, which began at start, with err. It returns nil when the
// proclet is prepared, or the part is there.
func (m *Migrator) received(a *arrival, msg message, start time.Time, err error) error {
	id, last := msg.proclet.ID, msg.op == opAnnounce
	if err == nil {
		start = m.took.since(phaseReceive, id, start)
		if last {
			err = m.proclets.Verify(id)
		}
	}
	if err == nil && last {
		m.took.since(phaseVerify, id, start)
	}
	if err == nil && (last && m.advance(a, prepared) || !last && m.at(a) == copying) {
		return nil
	}
	m.advance(a, givenUp)
	m.discard(a)
	if err == nil {
		err = fmt.Errorf("move %d was given up", msg.number)
	}
	return err
}

// enter records that bytes of a proclet are coming: of a new arrival or of the next round of
// one. It fails if the move, or the round, is known already, this machine has too much to do
// or whoever decides about it does not admit the proclet. over is to be closed when the bytes are there, or will not be.
func (m *Migrator) enter(from rack.MachineID, msg message, cancel context.CancelFunc) (a *arrival, over chan struct{}, err error) {
	if msg.round == 0 {
		if err := m.admits(msg.proclet); err != nil {
			return nil, nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a = m.arrivals[from][msg.number]
	switch {
	case a != nil && a.stage == copying && a.round == msg.round && a.proclet.ID == msg.proclet.ID && !a.busy():
	case a == nil && msg.round == 0 && msg.number >= m.floors[from]:
		if err := m.mayEnter(msg.proclet.ID); err != nil {
			return nil, nil, err
		}
		a = &arrival{}
		m.record(from, msg.number, a)
	default:
		return nil, nil, fmt.Errorf("round %d of move %d is over", msg.round, msg.number)
	}
	if msg.op == opAnnounce {
		a.stage = receiving
	}
	over = make(chan struct{})
	a.proclet, a.round, a.cancel, a.over = msg.proclet, msg.round+1, cancel, over
	return a, over, nil
}

// mayEnter says why a proclet cannot come now. Called with mu held.
func (m *Migrator) mayEnter(id proclet.ID) error {
	self := m.network.Self()
	if self.Draining {
		return fmt.Errorf("machine %d is draining", self.ID)
	}
	busy := 0
	for _, moves := range m.arrivals {
		for _, other := range moves {
			if other.stage > prepared {
				continue
			}
			if other.proclet.ID == id {
				return fmt.Errorf("%v is expected already", id) // by a move that was given up, but does not know
			}
			if other.stage < prepared {
				busy++
			}
		}
	}
	if busy >= maxArrivals {
		return fmt.Errorf("machine %d is receiving %d proclets already", self.ID, busy)
	}
	return nil
}

func (m *Migrator) admits(d proclet.Description) error {
	if admit := m.admit.Load(); admit != nil {
		return (*admit)(d)
	}
	return nil
}

func (m *Migrator) record(from rack.MachineID, number uint64, a *arrival) {
	if m.arrivals[from] == nil {
		m.arrivals[from] = map[uint64]*arrival{}
	}
	m.arrivals[from][number] = a
}

// at returns how far an arrival has come.
func (m *Migrator) at(a *arrival) stage {
	m.mu.Lock()
	defer m.mu.Unlock()
	return a.stage
}

// discard gives the memory of an arrival back, once.
func (m *Migrator) discard(a *arrival) {
	m.mu.Lock()
	mapped := a.mapped
	a.mapped = false
	m.mu.Unlock()
	if mapped {
		m.proclets.Discard(a.proclet.ID)
	}
}

// advance moves an arrival to a later stage and reports whether it was before
// that one. From prepared it may go either way, but only once.
func (m *Migrator) advance(a *arrival, to stage) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.stage >= to || a.stage == adopted {
		return false
	}
	a.stage = to
	return true
}

// committed makes a prepared proclet live here.
func (m *Migrator) committed(from rack.MachineID, number uint64, answer func(error)) {
	m.mu.Lock()
	a := m.arrivals[from][number]
	var over chan struct{}
	if a != nil {
		over = a.over
	}
	m.mu.Unlock()
	if a == nil {
		answer(fmt.Errorf("commit of move %d, which is unknown", number))
		return
	}
	select {
	case <-over:
		answer(m.adopt(a))
	default:
		go func() {
			<-over
			answer(m.adopt(a))
		}()
	}
}

func (m *Migrator) adopt(a *arrival) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch a.stage {
	case adopted:
		return nil // said before
	case prepared:
		start := time.Now()
		if err := m.proclets.Adopt(a.proclet.ID); err != nil {
			a.stage, a.mapped = givenUp, false
			m.proclets.Discard(a.proclet.ID)
			m.log("proclet %v is lost: it arrived, but cannot run: %v", a.proclet.ID, err)
			return err
		}
		m.took.since(phaseAdopt, a.proclet.ID, start)
		a.stage, a.mapped = adopted, false
		m.stats.Arrived++
		return nil
	}
	return fmt.Errorf("commit of a move that was given up")
}

// aborted gives a move up, also one that was not announced yet: the announcement
// may be on its way still.
func (m *Migrator) aborted(from rack.MachineID, number uint64) {
	m.mu.Lock()
	a := m.arrivals[from][number]
	if a == nil {
		over := make(chan struct{})
		close(over)
		m.record(from, number, &arrival{cancel: func() {}, over: over, stage: givenUp})
	}
	m.mu.Unlock()
	if a != nil {
		m.giveUp(a)
	}
}

// giveUp ends an arrival that has not been adopted, and returns when its memory
// is given back.
func (m *Migrator) giveUp(a *arrival) {
	m.mu.Lock()
	if a.stage < adopted {
		a.stage = givenUp
	}
	cancel := a.cancel
	m.mu.Unlock()
	cancel()
	m.quiet(a)
	m.discard(a)
}

// quiet returns when no bytes are coming.
func (m *Migrator) quiet(a *arrival) {
	m.mu.Lock()
	over := a.over
	m.mu.Unlock()
	<-over
}

// Died ends the moves from a machine that was declared dead. A prepared proclet
// is the last copy and nobody else can run it any more: it lives here now.
func (m *Migrator) Died(id rack.MachineID) {
	m.mu.Lock()
	moves := m.arrivals[id]
	delete(m.arrivals, id)
	delete(m.floors, id)
	delete(m.leaving, id)
	m.mu.Unlock()
	for number, a := range moves {
		go func() {
			switch m.at(a) {
			case copying:
				m.giveUp(a)
			case receiving:
				a.cancel()
				m.quiet(a)
			}
			if m.adopt(a) == nil {
				m.log("proclet %v lives here now: machine %d died in move %d", a.proclet.ID, id, number)
			}
		}()
	}
}

// forget drops what is remembered of moves below floor, which are over.
func (m *Migrator) forget(from rack.MachineID, floor uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if floor <= m.floors[from] {
		return
	}
	m.floors[from] = floor
	for number, a := range m.arrivals[from] {
		if number < floor && a.stage >= adopted {
			delete(m.arrivals[from], number)
		}
	}
}
