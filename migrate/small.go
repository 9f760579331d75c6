package migrate

import (
	"time"

	"nuos/mm"
	"nuos/rack"
)

// Most moves are small, and then it is not the bytes that take long but who waits for whom. So
// the destination of a small move does everything on the poller, within the
// frames that ask for it: it maps memory as soon as it hears of the proclet, finds the bytes
// right behind the announcement, since the source does not wait for a grant, and answers with
// the last of them. Nobody is woken. A large move would keep the poller from others for too long.

// smallMove is the most bytes of a small move.
const smallMove = 4 << 20

// isSmall says whether a move of these ranges is small. Both sides know.
func isSmall(used []mm.Range) bool {
	bytes := uint64(0)
	for _, r := range used {
		bytes += r.Size
	}
	return bytes <= smallMove
}

// announcedSmall is announced of a small move. It does not wait.
func (m *Migrator) announcedSmall(from rack.MachineID, msg message, answer func(error)) {
	abort := func() { m.network.AbortReceive(from, msg.transfer) }
	a := &arrival{cancel: abort, over: make(chan struct{}), proclet: msg.proclet}
	stop := m.patience.watch(&abort)
	ended := func(err error) {
		stop()
		close(a.over)
		answer(err)
	}
	if err := m.enter(from, msg.number, a); err != nil {
		ended(err)
		return
	}
	take := func(late bool) {
		start := time.Now()
		if err := m.proclets.Prepare(msg.proclet); err != nil {
			m.advance(a, givenUp)
			ended(err)
			return
		}
		start = m.took.since(phaseMap, msg.proclet.ID, start)
		m.network.BeginReceive(from, msg.transfer, msg.proclet.Used, late, func(err error) {
			ended(m.received(a, msg.number, start, err))
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
