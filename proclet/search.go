package proclet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nuos/rack"
)

// How long a search goes on without progress.
const (
	// patience is for a rack that has no directory at the moment, and for machines
	// that do not answer and are not known to be dead.
	patience = 10 * time.Second
	// patienceGiven is for a proclet that was given to a machine that lives and does
	// not know it: it has ended there, or is just about to arrive.
	patienceGiven = 500 * time.Millisecond
)

// search is the state of looking for a proclet: what has been tried, and
// whether the message may have been executed meanwhile. A location with more
// moves than any before is progress.
//
// Only the machines themselves know for certain that there is no such proclet. So a
// search ends with that, or with its loss, when all of them have been asked.
type search struct {
	rt        *Runtime
	id        ID
	maybe     bool          // some machine may have executed the message
	strays    bool          // the message may still be on its way to some machine
	insists   bool          // does not give up because of machines that do not answer
	from      source        // who is asked next
	last      rack.Location // the one with the most moves so far
	seen      uint64        // its number of moves, plus one
	published bool          // the directory knows a location
	since     time.Time     // when it began to be in vain; zero if there has been progress
	limit     time.Duration // for how long it may be
	pause     time.Duration // before the next try
}

// source is who can be asked where a proclet lives. The later ones cost more, and
// know more.
type source int

const (
	cache     source = iota // what has been heard here
	directory               // what machines have published; news may be on their way to it
	members                 // the machines themselves, after the directory
)

// locate returns where to try next.
func (s *search) locate(ctx context.Context) (at rack.Location, err error) {
	for {
		if s.pause > 0 {
			time.Sleep(s.pause)
		}
		news := false
		switch s.from {
		case cache:
			at, err = s.rt.net.Locate(ctx, s.id.Gen)
		case directory:
			at, err = s.rt.net.Relocate(ctx, s.id.Gen)
		case members:
			at, news, err = s.canvass(ctx)
		}
		if s.from != members {
			s.published, news = err == nil, at.Moves >= s.seen
		}
		switch {
		case err == nil && news:
			if at.Moves >= s.seen {
				s.last, s.seen, s.since, s.pause = at, at.Moves+1, time.Time{}, 0
			}
			return at, nil
		case err == nil && s.from == members && (at.Machine == 0 || s.rt.dead()(at.Machine)):
			return at, s.final(s.gone())
		case err == nil && s.from == members:
			if err := s.again(s.gone(), patienceGiven); err != nil {
				return at, err
			}
			// If it has ended there, that machine has the answers that nobody got,
			// and if it has just arrived, the proclet.
			time.Sleep(s.pause)
			return at, nil
		case err == nil && s.from == cache:
			s.from = directory
		case err == nil, errors.Is(err, rack.ErrNotFound): // not in the cache and not in the directory
			s.from = members
		case errors.Is(err, rack.ErrFenced), errors.Is(err, rack.ErrClosed):
			return at, s.final(err)
		case errors.Is(err, rack.ErrLost) && s.from == members: // while it was asked, and it may have handed the proclet over before
			s.from, s.since, s.pause = directory, time.Time{}, time.Millisecond
		default:
			if err := s.again(err, patience); err != nil {
				return at, err
			}
		}
	}
}

// gone is why no machine knows the proclet.
func (s *search) gone() error {
	if s.published && s.rt.dead()(s.last.Machine) {
		return ErrLost
	}
	return ErrNoProclet
}

// again has the search begin again after a pause, because what has just been
// tried was in vain. The error is nil if it was not so for the same reason for as long
// as limit, patience or patienceGiven.
func (s *search) again(cause error, limit time.Duration) error {
	now := time.Now()
	if s.since.IsZero() || s.limit != limit {
		s.since, s.limit = now, limit
	}
	if now.Sub(s.since) >= limit && !(s.insists && limit == patience) {
		return s.final(cause)
	}
	s.from = directory
	s.pause = min(max(2*s.pause, time.Millisecond), 50*time.Millisecond)
	return nil
}

// final is the error when the search is given up because of err.
func (s *search) final(err error) error {
	if s.maybe {
		return fmt.Errorf("%w: %w", ErrMaybeExecuted, err)
	}
	return err
}

// failed takes note that a machine did not answer. The error is nil if it makes
// sense to look elsewhere.
func (s *search) failed(err error) error {
	if errors.Is(err, rack.ErrMaybeExecuted) {
		s.maybe, s.strays = true, true
	}
	switch {
	case errors.Is(err, rack.ErrLost):
		s.from = directory // the proclet died with the machine, unless it had left before
		return nil
	case errors.Is(err, rack.ErrUnreachable), errors.Is(err, rack.ErrNoService): // the latter: it has only just joined
		return s.again(err, patience)
	}
	return s.final(err)
}

// moved takes note that the proclet has moved on.
func (s *search) moved(to rack.Location) {
	s.rt.net.Learn(s.id.Gen, to)
	s.from = directory
	if to.Moves >= s.seen {
		s.from = cache
	}
}

// canvass asks all machines for the proclet. It returns where it lives, or where it
// went last, and whether that is news. If the proclet lived when the directory
// answered, so it does where it was then, or that machine knows where it went, which
// nobody could have heard before: there is news. An error says that not all have
// answered: who has left or died since may have handed the proclet over before.
func (s *search) canvass(ctx context.Context) (at rack.Location, news bool, err error) {
	type said struct {
		at    rack.Location
		lives bool
		err   error
	}
	all := s.rt.net.Members()
	answers := make(chan said, len(all))
	for _, m := range all {
		go func() {
			var a said
			a.at, a.lives, a.err = s.rt.askWhereabouts(ctx, m.ID, s.id)
			answers <- a
		}()
	}
	for range all {
		a := <-answers
		switch {
		case a.err != nil:
			err = a.err
		case a.lives || a.at.Machine != 0 && a.at.Moves >= s.seen:
			if a.at.Moves >= s.seen {
				s.rt.net.Learn(s.id.Gen, a.at)
			}
			return a.at, true, nil
		case a.at.Moves >= at.Moves:
			at = a.at
		}
	}
	return at, false, err
}

// askWhereabouts asks a machine where a proclet is: see whereabouts.
func (rt *Runtime) askWhereabouts(ctx context.Context, m rack.MachineID, id ID) (at rack.Location, lives bool, err error) {
	if m == rt.self {
		at, lives = rt.whereabouts(id)
		return at, lives, nil
	}
	answer, err := rt.net.Call(ctx, m, rack.ServiceProclet, appendID([]byte{messageFind}, id))
	if errors.Is(err, rack.ErrNoService) {
		return at, false, nil // no proclets are there, yet
	}
	if err != nil {
		return at, false, err
	}
	d := &decoder{answer}
	tag, err := d.take(1)
	if err != nil {
		return at, false, err
	}
	switch tag[0] {
	case answerUnknown:
		return at, false, nil
	case answerDone, answerMoved:
		at, err = d.location()
		return at, tag[0] == answerDone, err
	case answerFailed:
		return at, false, d.failure()
	}
	return at, false, fmt.Errorf("%w: answer %d", errMalformed, tag[0])
}

func (rt *Runtime) answerFind(d *decoder) ([]byte, error) {
	id, err := d.id()
	if err != nil {
		return nil, err
	}
	switch at, lives := rt.whereabouts(id); {
	case lives:
		return movedTo(answerDone, at), nil
	case at.Machine != 0:
		return movedTo(answerMoved, at), nil
	}
	return []byte{answerUnknown}, nil
}

// whereabouts returns where a proclet is, as far as this machine knows of its own:
// here, if it lives here or is arriving, or where it went. While it moves at least one
// machine has it, the source until the destination has adopted it. It does not say that
// an arriving one has moved, since that may be undone. One that is ending is here, for
// the callers of those inside, but does not live for anybody else.
func (rt *Runtime) whereabouts(id ID) (at rack.Location, lives bool) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if r := rt.find(id); r != nil && !r.gate.isEnded() {
		return rack.Location{Machine: rt.self, Moves: r.moves}, !r.destroying.Load()
	}
	if a := rt.arriving[id]; a != nil {
		return rack.Location{Machine: rt.self, Moves: a.d.Moves}, true
	}
	return rt.departed.at[id], false
}
