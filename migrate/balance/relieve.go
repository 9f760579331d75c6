package balance

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"nuos/migrate"
	"nuos/proclet"
	"nuos/rack"
	"nuos/rack/placement"
)

// attempt is that a proclet could not be moved.
type attempt struct {
	until time.Duration // it is not tried again before
	wait  time.Duration
}

// How long what could not be moved is left alone: longer each time.
const (
	firstAttempt = 20 * time.Millisecond
	lastAttempt  = 10 * time.Second
)

// relieve asks the leader where to go, and goes there.
func (b *Balancer) relieve(kind placement.Kind, st placement.State) {
	q, any := b.policy.Ask(b.now(), placement.Machine(b.self()), kind, st, b.candidates())
	if !any {
		b.refused()
		return
	}
	var g placement.Grant
	if err := b.tell(message{Op: opAsk, Request: q}, &g); err != nil || g.To == 0 {
		b.refused()
		return
	}
	b.carryOut(g)
}

func (b *Balancer) refused() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.source.Refused(b.now())
}

// ordered begins what the leader has this machine do, unless something else is going on.
func (b *Balancer) ordered(g placement.Grant) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taking(b.now()) || !b.source.Order() {
		return ErrPressure
	}
	go b.carryOut(g)
	return nil
}

// candidates lists what could move.
func (b *Balancer) candidates() (all []placement.Candidate) {
	now := b.now()
	loads := b.proclets.Loads()
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, a := range b.tried {
		if now > a.until+lastAttempt {
			delete(b.tried, id)
		}
	}
	for i := range loads {
		l := &loads[i]
		if l.Pinned || l.Leaving || now < b.tried[l.ID].until {
			continue
		}
		c := placement.Candidate{Key: placement.Key{l.ID.Addr, l.ID.Gen}, Copy: l.Used, Frees: l.Mapped, Load: l.Processors, Since: now - l.Here}
		for _, caller := range l.Callers {
			switch {
			case caller.Machine == b.self():
				c.Calls = caller.Share
			case c.Near == 0:
				c.Near, c.NearBy = placement.Machine(caller.Machine), caller.Share
			}
		}
		all = append(all, c)
	}
	return all
}

// Of the proclets of a batch some move at a time, and after a few times as many the destination is asked again.
// On a machine that is short of processors moves take their time because they wait for one, all of them
// at once as well as one by one.
const (
	movesAtOnce     = 4
	movesAtOnceBusy = 32
)

func atOnce(k placement.Kind) int {
	if k == placement.Processor {
		return movesAtOnceBusy
	}
	return movesAtOnce
}

// carryOut picks what moves with a grant, and moves it.
func (b *Balancer) carryOut(g placement.Grant) {
	b.mu.Lock()
	cost := *b.cost
	b.mu.Unlock()
	chosen := b.policy.Pick(b.now(), g, b.candidates(), &cost)
	fixed, perByte := cost.Model()
	bytes, load := sum(chosen)
	b.events.add("batch", "%d proclets are to go to machine %d (%v), %s and a load of %.2f: %s; a move takes about %.0f µs and %.0f µs a MiB",
		len(chosen), g.To, g.Kind, placement.Size(bytes), load, g.Reason, fixed, perByte*(1<<20))
	r := run{b: b, grant: g}
	for len(chosen) > 0 && r.goesOn() {
		n := min(len(chosen), 4*atOnce(g.Kind))
		r.moveAll(chosen[:n])
		chosen = chosen[n:]
	}
	r.end()
}

// run is a batch that is being moved.
type run struct {
	b     *Balancer
	grant placement.Grant

	mu    sync.Mutex
	moved []placement.Candidate
	stop  error // why no more are moved
	first error // of those that could not be
	fails int
}

func sum(all []placement.Candidate) (bytes uint64, load float64) {
	for i := range all {
		bytes += all[i].Frees
		load += all[i].Load
	}
	return bytes, load
}

// goesOn reports whether there is still a reason to move anything, and the destination takes it.
func (r *run) goesOn() bool {
	if r.stop != nil {
		return false
	}
	if r.grant.Kind == placement.Memory && len(r.moved) > 0 && !r.b.State().Memory {
		return false
	}
	r.stop = r.offer(1)
	return r.stop == nil
}

// offer tells the destination that something is about to come, or nothing more.
func (r *run) offer(bytes uint64) error {
	ctx, cancel := bounded()
	defer cancel()
	return ask(ctx, r.b.net, rack.MachineID(r.grant.To), rack.ServicePlacement, message{Op: opOffer, Grant: r.grant, Bytes: bytes}, &struct{}{})
}

func (r *run) moveAll(chosen []placement.Candidate) {
	work := make(chan placement.Candidate)
	var all sync.WaitGroup
	for range min(atOnce(r.grant.Kind), len(chosen)) {
		all.Go(func() {
			for c := range work {
				r.move(c)
			}
		})
	}
	for _, c := range chosen {
		work <- c
	}
	close(work)
	all.Wait()
}

func (r *run) move(c placement.Candidate) {
	r.mu.Lock()
	stop := r.stop != nil
	r.mu.Unlock()
	if stop {
		return
	}
	id := proclet.ID{Addr: c.Key[0], Gen: c.Key[1]}
	report, err := r.b.migrator.Move(context.Background(), id, rack.MachineID(r.grant.To))
	if errors.Is(err, proclet.ErrNoProclet) {
		return // it has ended, or somebody else has moved it
	}
	r.b.attempted(id, report, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.moved = append(r.moved, c)
	case errors.Is(err, proclet.ErrBusy), errors.Is(err, proclet.ErrHeld), errors.Is(err, proclet.ErrPinned):
		r.fails++
		r.first = cmp.Or(r.first, err)
	default:
		r.stop = cmp.Or(r.stop, err) // the destination does not take it, or is not there
	}
}

// attempted learns from a move.
func (b *Balancer) attempted(id proclet.ID, report migrate.Report, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.cost.Learn(report.Bytes, report.Pause)
		delete(b.tried, id)
		return
	}
	a := b.tried[id]
	a.wait = min(max(2*a.wait, firstAttempt), lastAttempt)
	a.until = b.now() + a.wait
	b.tried[id] = a
}

// end tells everybody what has come of the batch.
func (r *run) end() {
	bytes, load := sum(r.moved)
	b := r.b
	why := ""
	if r.stop != nil {
		why = "; then no more: " + r.stop.Error()
	}
	if r.fails > 0 {
		why += "; could not move: " + r.first.Error()
	}
	st := b.State()
	b.events.add("moved", "%d proclets to machine %d (%v), %s and a load of %.2f, and %d not%s; here %s are free now, load %.2f on %d processors",
		len(r.moved), r.grant.To, r.grant.Kind, placement.Size(bytes), load, r.fails, why, placement.Size(st.Free), st.Load, st.Processors)
	if r.stop == nil {
		r.offer(0)
	}
	b.tell(message{Op: opDone, Bytes: bytes, Load: load, Refused: errors.Is(r.stop, migrate.ErrRefused) || isRefusal(r.stop)}, &struct{}{})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.source.Finished(b.now(), r.grant.Kind, len(r.moved))
}

// isRefusal reports whether err is what the destination has answered.
func isRefusal(err error) bool {
	var answer *rack.RemoteError
	return errors.As(err, &answer)
}
