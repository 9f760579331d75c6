package migrate

import (
	"time"

	"nuos/rack"
)

// Most moves are small, and then it is not the bytes that take long but who waits for whom. So
// the destination of a small move does everything on the poller, within the
// frames that ask for it: it maps memory as soon as it hears of the proclet, finds the bytes
// right behind the announcement, since the source does not wait for a grant, and answers with
// the last of them. Nobody is woken. A large move would keep the poller from others for too long.

// smallMove is the most bytes of a small move.
const smallMove = 4 << 20

// isSmall says whether a message announces a small move, nothing of which has been sent
// before. Both sides know.
func (m *message) isSmall() bool {
	return m.op == opAnnounce && m.round == 0 && size(m.proclet.Used) <= smallMove
}

// announcedSmall is announced of a small move. It does not wait.
func (m *Migrator) announcedSmall(from rack.MachineID, msg message, answer func(error)) {
	abort := func() { m.network.AbortReceive(from, msg.transfer) }
	a, over, err := m.enter(from, msg, abort)
	if err != nil {
		answer(err)
		return
	}
	stop := m.patience.watch(&abort)
	ended := func(err error) {
		stop()
		close(over)
		answer(err)
	}
	take := func(late bool) {
		start := time.Now()
		if err := m.mapFor(a, msg); err != nil {
			ended(m.received(a, msg, start, err))
			return
		}
		start = m.took.since(phaseMap, msg.proclet.ID, start)
		m.network.BeginReceive(from, msg.transfer, msg.proclet.Used, late, func(err error) {
			ended(m.received(a, msg, start, err))
		})
		m.mu.Lock()
		gone := a.stage == givenUp
		m.mu.Unlock()
		if gone { // before there was something to abort
			abort()
		}
	}
	m.mu.Lock()
	freed := m.clearing[msg.proclet.ID]
	m.mu.Unlock()
	if freed == nil {
		take(false)
		return
	}
	go func() {
		<-freed
		take(true)
	}()
}
