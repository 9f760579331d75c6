package rack

import (
	"bytes"
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

// viewMessage is a request of ServiceView.
type viewMessage struct {
	Op    viewOp
	Epoch uint64               `json:",omitempty"`
	From  uint64               `json:",omitempty"` // nonce of the candidate
	View  *View                `json:",omitempty"`
	Names map[string]boundName `json:",omitempty"`
	Skip  int                  `json:",omitempty"` // opReport: locations that are known
}

type viewOp string

const (
	opPrepare viewOp = "prepare" // promise to accept no view below Epoch
	opAccept  viewOp = "accept"  // accept View
	opCommit  viewOp = "commit"  // View is decided
	opName    viewOp = "name"    // remember Names
	opReport  viewOp = "report"  // say what you have
)

type viewAnswer struct {
	OK        bool
	Promised  uint64               `json:",omitempty"`
	View      *View                `json:",omitempty"`
	Names     map[string]boundName `json:",omitempty"`
	Leases    []lease              `json:",omitempty"`
	Locations []byte               `json:",omitempty"`
	More      bool                 `json:",omitempty"`
}

func callView(ctx context.Context, s *session, m *viewMessage) (*viewAnswer, error) {
	return callJSON[viewAnswer](ctx, s, ServiceView, m)
}

// callJSON calls a service whose messages are JSON: those of the rack itself,
// which are rare.
func callJSON[A any](ctx context.Context, s *session, service Service, m any) (*A, error) {
	req, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	reply, err := s.call(ctx, service, req)
	if err != nil {
		return nil, err
	}
	a := new(A)
	return a, json.Unmarshal(reply, a)
}

func replyJSON(q Request, answer any) {
	b, err := json.Marshal(answer)
	if err != nil {
		q.Fail(err)
		return
	}
	q.Reply(b)
}

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
	if v := r.newestView(); v.Version > 0 {
		a.View = v
		if v.byNonce(m.From) == nil || !r.mayLead(m.From) {
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

// canvass asks machines, at once, and hands every answer to take until it says
// that there are enough, all have answered or ctx ends.
func (r *Rack) canvass(ctx context.Context, to []MemberRecord, m *viewMessage, take func(from uint64, a *viewAnswer) (enough bool)) {
	type answer struct {
		from uint64
		a    *viewAnswer
	}
	answers := make(chan answer, len(to))
	for _, p := range to {
		started := r.spawn(func() {
			var a *viewAnswer
			if s := r.e.session(p.Nonce, p.MAC, p.IP); s != nil {
				a, _ = callView(ctx, s, m)
			}
			answers <- answer{p.Nonce, a}
		})
		if !started {
			return
		}
	}
	for range to {
		select {
		case x := <-answers:
			if x.a != nil && take(x.from, x.a) {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// others are the members of v but for us and those who are certainly gone.
func (r *Rack) others(v *View) (list []MemberRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range v.Members {
		if m.Nonce != r.e.nonce && !r.rebooted[m.Nonce] {
			list = append(list, m)
		}
	}
	return list
}

// replicate has next accepted by enough machines and then makes it known. It
// reports whether it is decided.
func (r *Rack) replicate(ctx context.Context, next View, to []MemberRecord, enough func(agree map[uint64]bool) bool) bool {
	r.mu.Lock()
	ok := r.acceptor.accept(&next)
	r.mu.Unlock()
	if !ok {
		return false
	}
	agree := map[uint64]bool{r.e.nonce: true}
	ctx, cancel := context.WithTimeout(ctx, r.config.Dead)
	defer cancel()
	decided := enough(agree)
	if !decided {
		r.canvass(ctx, to, &viewMessage{Op: opAccept, View: &next}, func(from uint64, a *viewAnswer) bool {
			if a.OK {
				agree[from] = true
			}
			r.notePromise(a.Promised)
			decided = enough(agree)
			return decided
		})
	}
	if decided {
		r.learn(&next)
	}
	return decided
}

// tryForm forms the rack if this machine is the one to do so.
func (r *Rack) tryForm(ctx context.Context, now time.Duration) {
	us := r.record()
	all := []MemberRecord{us}
	r.mu.Lock()
	for _, s := range r.searchers {
		if now-s.heard < helloMemory {
			all = append(all, MemberRecord{Nonce: s.nonce, MAC: s.mac, IP: s.ip})
		}
	}
	r.mu.Unlock()
	slices.SortFunc(all, func(a, b MemberRecord) int { return bytes.Compare(a.MAC[:], b.MAC[:]) })

	need := r.config.Machines/2 + 1
	if f := r.machine.former; f != nil {
		if !f.is(us.MAC, us.IP) {
			return
		}
		need = 1
	} else {
		if all[0].Nonce != us.Nonce && now < helloSettle+5*r.config.Dead {
			return // another is first, unless it does not manage for long
		}
		// Not all that are wanted are here: give them a little more time.
		if len(all) < need || len(all) < r.config.Machines && now < 2*helloSettle {
			return
		}
	}
	to := slices.DeleteFunc(slices.Clone(all), func(m MemberRecord) bool { return m.Nonce == us.Nonce })
	if r.machine.former != nil || r.config.Machines == 1 {
		to = nil // decided alone; the others join
	}

	r.mu.Lock()
	epoch := max(r.acceptor.promised, r.epochSeen) + 1
	ok := r.acceptor.prepare(epoch) && r.acceptor.accepted.Version == 0
	r.mu.Unlock()
	if !ok {
		r.takeOver() // in a view that somebody proposed and did not decide
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.Dead)
	defer cancel()
	promised := map[uint64]bool{us.Nonce: true}
	taken := false
	r.canvass(ctx, to, &viewMessage{Op: opPrepare, Epoch: epoch, From: us.Nonce}, func(from uint64, a *viewAnswer) bool {
		switch {
		case a.View != nil:
			taken = true // there is a rack, or may be
		case a.OK:
			promised[from] = true
		default:
			r.notePromise(a.Promised)
		}
		return taken || len(promised) == len(all)
	})
	if taken || len(promised) < need {
		return
	}
	v := View{Rack: rand.Uint64() | 1, Epoch: epoch, Version: 1, NextID: 1}
	for _, m := range all {
		if promised[m.Nonce] {
			m.ID = v.NextID
			v.NextID++
			v.Members = append(v.Members, m)
			if m.Nonce == us.Nonce {
				v.Directory = m.ID
			}
		}
	}
	to = slices.DeleteFunc(slices.Clone(v.Members), func(m MemberRecord) bool { return m.Nonce == us.Nonce })
	// More than half of machines=, so that two halves cannot both form one.
	enough := func(agree map[uint64]bool) bool { return len(agree) >= need && v.quorum(agree, nil, 0) }
	if r.replicate(ctx, v, to, enough) {
		r.lead(v.Epoch)
	}
}

// takeOver tries to become the directory in place of one that is gone.
func (r *Rack) takeOver() {
	r.mu.Lock()
	v := *r.newestView()
	us := v.byNonce(r.e.nonce)
	if us == nil || r.electing || r.directory != nil || !r.mayLead(r.e.nonce) {
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
			return elected()
		})
	}
	us = newest.byNonce(r.e.nonce)
	if us == nil || !elected() {
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
	next, err := newest.apply(change{Lead: us.ID, Epoch: epoch})
	if err != nil {
		return
	}
	// By the same measure as before: of two machines the new directory alone
	// is not enough.
	enough := func(agree map[uint64]bool) bool {
		return newest.quorum(agree, r.certainlyGone(), tieBreak(decided, newest))
	}
	if r.replicate(ctx, next, r.others(&next), enough) {
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
