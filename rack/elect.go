package rack

import (
	"cmp"
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"time"
)

// Elections. A machine that leads asks the others for a promise, then for
// their acceptance of each view; see acceptor for why that is safe. Two ways
// lead there: a rack is formed by the machine with the lowest Ethernet address
// of those that look for it (or by that of directory=), with promises of a
// majority of machines=; and when members hear nothing of their directory, or
// hear that its machine has booted again, one of them takes over.

// serveView answers ServiceView.
func (r *Rack) serveView(q Request) {
	var m viewMessage
	if err := json.Unmarshal(q.Data, &m); err != nil {
		q.Fail(err)
		return
	}
	switch m.Op {
	case opPrepare:
		replyJSON(q, r.promise(&m))
	case opAccept:
		replyJSON(q, r.accept(m.View))
	case opCommit:
		r.learn(m.View)
		r.learnNames(m.Names)
		replyJSON(q, viewAnswer{OK: true})
	case opName:
		replyJSON(q, viewAnswer{OK: r.acceptNames(m.Epoch, m.Names)})
	case opReport:
		replyJSON(q, r.report(m.Skip))
	default:
		q.Fail(ErrParameter)
	}
}

// accept answers a directory that proposes a view.
func (r *Rack) accept(v *View) viewAnswer {
	r.mu.Lock()
	defer r.mu.Unlock()
	ok := v != nil && (r.view.Rack == 0 || r.view.Rack == v.Rack) && r.acceptor.accept(v)
	return viewAnswer{OK: ok, Promised: r.acceptor.promised}
}

// promise answers a candidate. A member that hears the directory that was
// decided on promises nothing to others, so that a machine with a bad link
// cannot unseat it.
func (r *Rack) promise(m *viewMessage) viewAnswer {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := viewAnswer{Promised: r.acceptor.promised}
	if v := *r.newestView(); v.Version > 0 {
		a.View, a.Decided = &v, !v.newer(&r.view)
		if v.byNonce(m.From) == nil && !v.left(m.From) || !r.mayLead(m.From) {
			return a
		}
	}
	a.OK = r.acceptor.prepare(m.Epoch)
	a.Promised = r.acceptor.promised
	return a
}

// newestView is the newest view decided or accepted. Called with mu held.
func (r *Rack) newestView() *View {
	if r.acceptor.accepted.newer(&r.view) {
		return &r.acceptor.accepted
	}
	return &r.view
}

// mayLead reports whether a machine may try to lead: the directory itself,
// which must when others were promised something meanwhile, and anybody if
// nothing has been heard of the directory for long. What was only proposed
// does not count. Called with mu held.
func (r *Rack) mayLead(candidate uint64) bool {
	d := r.view.member(r.view.Directory)
	if d == nil || d.Nonce == candidate || r.rebooted[d.Nonce] {
		return true
	}
	if d.Nonce == r.e.nonce {
		return r.directory == nil
	}
	s := r.e.peers.Load().byNonce[d.Nonce]
	return s == nil || s.silentFor() >= r.e.limit/2
}

// takeOver tries to become the directory in place of one that is gone.
//
// A machine that is about to leave, as the newest view has it, only completes
// that view if it is elected: whether it was decided is known to nobody if the
// directory, perhaps this machine itself, has lost its office over it. The
// machine does not go before that is certain, and without a directory those who
// remain elect one.
func (r *Rack) takeOver() {
	r.mu.Lock()
	v, old := *r.newestView(), r.view
	leaving := old.byNonce(r.e.nonce) != nil && v.left(r.e.nonce)
	if v.byNonce(r.e.nonce) == nil && !leaving || r.electing || r.directory != nil || !r.mayLead(r.e.nonce) {
		r.mu.Unlock()
		return
	}
	r.electing = true
	epoch := max(r.acceptor.promised, r.epochSeen, v.Epoch) + 1
	r.acceptor.prepare(epoch)
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.electing = false
		r.mu.Unlock()
	}()

	ctx, cancel := context.WithTimeout(r.ctx, r.config.Dead)
	defer cancel()
	promised := map[uint64]bool{r.e.nonce: true}
	newest := &v
	decided := r.decidedDirectory()
	elected := func() bool { return newest.quorum(promised, r.certainlyGone(), tieBreak(decided, newest)) }
	if !elected() {
		r.canvass(ctx, r.others(&v), &viewMessage{Op: opPrepare, Epoch: epoch, From: r.e.nonce}, func(from uint64, a *viewAnswer) bool {
			if a.OK {
				promised[from] = true
			}
			r.notePromise(a.Promised)
			if a.View != nil && a.View.newer(newest) {
				newest = a.View
			}
			if a.Decided {
				r.learn(a.View)
			}
			return elected() || r.hasLeft()
		})
	}
	if !elected() || r.hasLeft() {
		return
	}
	c := change{Epoch: epoch}
	if us := newest.byNonce(r.e.nonce); us != nil {
		c.Lead = us.ID
	} else if !newest.left(r.e.nonce) {
		return
	}
	if !newest.quorum(promised, nil, tieBreak(decided, newest)) {
		// It takes the word of a machine that has booted again. If the others
		// went on without us meanwhile, they tell us now.
		r.sayHello()
		if !r.pause(helloSettle) {
			return
		}
	}
	next, err := newest.apply(c)
	if err != nil {
		return
	}
	// By the same measure as before: of two machines the new directory alone
	// is not enough.
	enough := func(agree map[uint64]bool) bool {
		return newest.quorum(agree, r.certainlyGone(), tieBreak(decided, newest))
	}
	if !r.replicate(ctx, next, r.others(&next), enough) {
		return
	}
	for _, m := range old.Members {
		if next.left(m.Nonce) {
			r.leaver(m.ID, true)
		}
	}
	if c.Lead != 0 {
		r.note("this machine is the directory now, epoch %d", epoch)
		r.lead(epoch)
	}
}

// notePromise learns from others how far epochs have got, so that the next
// attempt is high enough. It is no promise of ours.
func (r *Rack) notePromise(epoch uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epochSeen = max(r.epochSeen, epoch)
}

// decidedDirectory is the nonce of the directory of the newest view that is
// known to be decided.
func (r *Rack) decidedDirectory() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.view.member(r.view.Directory); d != nil {
		return d.Nonce
	}
	return 0
}

// tieBreak returns whose word decides between two machines that disagree: the
// directory's, if both the decided view and the newest say who that is. A view
// that was proposed and perhaps not decided gives nobody the right, and takes
// it away.
func tieBreak(decided uint64, newest *View) uint64 {
	if d := newest.member(newest.Directory); d != nil && d.Nonce == decided {
		return decided
	}
	return 0
}

// certainlyGone returns the incarnations whose machines have booted again.
func (r *Rack) certainlyGone() map[uint64]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	gone := make(map[uint64]bool, len(r.rebooted))
	for n := range r.rebooted {
		gone[n] = true
	}
	return gone
}

// electionDelay staggers candidates, so that seldom two stand at once.
func (r *Rack) electionDelay() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.newestView()
	rank := slices.IndexFunc(v.Members, func(m MemberRecord) bool { return m.Nonce == r.e.nonce })
	step := r.config.Dead / ticksToDeath
	return time.Duration(cmp.Compare(rank, 0)*min(rank, 8))*step + rand.N(step/2)
}
