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
	receiving stage = iota // memory is mapped, bytes are coming
	prepared               // all bytes are here and sound; waits for commit
	adopted                // lives here
	givenUp                // never will; memory is given back
)

// arrival is the destination's side of a move.
type arrival struct {
	cancel context.CancelFunc // ends receiving
	over   chan struct{}      // closed when receiving has ended, one way or the other

	// Under Migrator.mu.
	stage   stage
	proclet proclet.Description
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
	case opAnnounce:
		if isSmall(msg.proclet.Used) {
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

// announced takes in a proclet. It returns nil when the proclet is prepared.
func (m *Migrator) announced(from rack.MachineID, msg message) error {
	ctx, cancel := m.patience.context(context.Background())
	defer cancel()
	a := &arrival{cancel: cancel, over: make(chan struct{}), proclet: msg.proclet}
	defer close(a.over)
	if err := m.enter(from, msg.number, a); err != nil {
		return err
	}
	m.mu.Lock()
	freed := m.clearing[msg.proclet.ID]
	m.mu.Unlock()
	if freed != nil {
		<-freed
	}
	start := time.Now()
	if err := m.proclets.Prepare(msg.proclet); err != nil {
		m.advance(a, givenUp)
		return err
	}
	start = m.took.since(phaseMap, msg.proclet.ID, start)
	return m.received(a, msg.number, start, m.network.ReceiveBulk(ctx, from, msg.transfer, msg.proclet.Used))
}

// received ends the receiving of bytes, which began at start, with err. It returns nil when the
// proclet is prepared.
func (m *Migrator) received(a *arrival, number uint64, start time.Time, err error) error {
	id := a.proclet.ID
	if err == nil {
		start = m.took.since(phaseReceive, id, start)
		err = m.proclets.Verify(id)
	}
	if err == nil {
		m.took.since(phaseVerify, id, start)
	}
	if err == nil && m.advance(a, prepared) {
		return nil
	}
	m.advance(a, givenUp)
	m.proclets.Discard(id)
	if err == nil {
		err = fmt.Errorf("move %d was given up", number)
	}
	return err
}

// enter records an arrival unless the move is known already, this machine has too much to do
// or whoever decides about it does not admit the proclet.
func (m *Migrator) enter(from rack.MachineID, number uint64, a *arrival) error {
	if err := m.admits(a.proclet); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if number < m.floors[from] || m.arrivals[from][number] != nil {
		return fmt.Errorf("move %d is over", number)
	}
	self := m.network.Self()
	if self.Draining {
		return fmt.Errorf("machine %d is draining", self.ID)
	}
	busy := 0
	for _, moves := range m.arrivals {
		for _, other := range moves {
			if other.stage == receiving {
				busy++
			}
		}
	}
	if busy >= maxArrivals {
		return fmt.Errorf("machine %d is receiving %d proclets already", self.ID, busy)
	}
	m.record(from, number, a)
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
	m.mu.Unlock()
	if a == nil {
		answer(fmt.Errorf("commit of move %d, which is unknown", number))
		return
	}
	select {
	case <-a.over:
		answer(m.adopt(a))
	default:
		go func() {
			<-a.over
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
			a.stage = givenUp
			m.proclets.Discard(a.proclet.ID)
			m.log("proclet %v is lost: it arrived, but cannot run: %v", a.proclet.ID, err)
			return err
		}
		m.took.since(phaseAdopt, a.proclet.ID, start)
		a.stage = adopted
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
	was := a.stage
	if was < adopted {
		a.stage = givenUp
	}
	m.mu.Unlock()
	a.cancel()
	<-a.over // announced gives back what was not yet prepared
	if was == prepared {
		m.proclets.Discard(a.proclet.ID)
	}
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
			m.mu.Lock()
			was := a.stage
			m.mu.Unlock()
			if was == receiving {
				a.cancel()
				<-a.over
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
