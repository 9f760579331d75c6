package migrate

import (
	"context"
	"errors"
	"time"

	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
)

// A large proclet is copied while it runs, in rounds: all of it first, then what has been
// written meanwhile. It stands still only for the last one. The destination has nothing but
// memory until then: whoever dies or gives up on the way, the proclet runs where it is.

const (
	// precopyLeast is how many bytes a proclet has at least that is copied while it runs: more
	// than take a few hundred microseconds. Of smaller ones the pause is hardly more than that of
	// the last round.
	precopyLeast = 4 << 20

	// roundEnough is how many bytes may be left for the last round, which then takes no longer than its
	// messages.
	roundEnough = 128 << 10

	// maxRounds bounds the rounds while the proclet runs. Each takes half of the time of the one
	// before, or is the last.
	maxRounds = 8

	// maxScattered is how many ranges a proclet has at most that is copied while it runs: two lists
	// of them fit into a message.
	maxScattered = 1 << 14
)

// precopied is what has been copied while a proclet runs.
type precopied struct {
	begun     bool // EndCopy is to be called, whatever happens
	announced bool // the destination may have memory for it
	rounds    uint64
	bytes     uint64
}

// precopy copies a proclet while it runs.
func (m *Migrator) precopy(ctx context.Context, number uint64, id proclet.ID, to rack.MachineID) (p precopied, err error) {
	if bytes, used := m.proclets.Weigh(id); bytes < m.least || !used {
		return p, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := func() { cancel(proclet.ErrNoProclet) }
	if err := m.proclets.BeginCopy(id, stop); err != nil {
		return p, m.unwatched(err)
	}
	p.begun = true
	for before := ^uint64(0); ; {
		start := time.Now()
		d, err := m.proclets.Changes(id)
		if p.rounds == 0 && errors.Is(err, mm.ErrNoWatch) {
			m.proclets.EndCopy(id)
			return precopied{}, m.unwatched(err)
		}
		if err != nil {
			return p, err
		}
		changed := size(d.Changed)
		if p.rounds > 0 && (changed <= m.enough || changed > before/2 || p.rounds == maxRounds) || len(d.Used) > maxScattered {
			return p, nil // it is sent with what is written until the proclet stands still
		}
		before = changed
		p.announced = true
		if err := m.send(ctx, to, message{op: opCopy, number: number, round: p.rounds, proclet: d}); err != nil {
			if context.Cause(ctx) == proclet.ErrNoProclet {
				err = proclet.ErrNoProclet // it has ended
			}
			return p, err
		}
		m.proclets.Copied(id)
		m.took.sent(phaseCopy, id, start, changed)
		p.rounds++
		p.bytes += changed
	}
}

// unwatched returns err, unless that says that what is written cannot be watched: then
// the proclet is copied when it stands still, and the statistics say why.
func (m *Migrator) unwatched(err error) error {
	if !errors.Is(err, mm.ErrNoWatch) {
		return err
	}
	m.count(func(s *Stats) { s.Unwatched = err.Error() })
	return nil
}

// PrecopyAll has all proclets that are in use copied while they run, and again and again until
// nothing is left: for tests, whose proclets are small.
func (m *Migrator) PrecopyAll() { m.least, m.enough = 0, 0 }

func size(ranges []mm.Range) (bytes uint64) {
	for _, r := range ranges {
		bytes += r.Size
	}
	return bytes
}
