package rack

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"time"
)

// How a rack begins: the machines that look for it agree on one first view, and
// with it on who keeps the first copies of the directory. From then on these
// decide (replica.go).
//
// The view is a value of Paxos (Lamport, "Paxos Made Simple"), decided by more
// than half of machines=, so that no two halves can found a rack each. With
// directory= or machines=1 a machine founds it alone, and the others join.

// founder is a machine's part in that decision: an acceptor.
type founder struct {
	promised uint64 // proposals of a lower ballot are not accepted
	ballot   uint64 // of what was accepted last
	accepted *View  // nil: nothing
}

// prepare answers a proposer that asks for a promise.
func (f *founder) prepare(ballot uint64) bool {
	if ballot <= f.promised {
		return false
	}
	f.promised = ballot
	return true
}

// accept answers a proposer that proposes a view.
func (f *founder) accept(ballot uint64, v *View) bool {
	if ballot < f.promised || v == nil {
		return false
	}
	f.promised, f.ballot, f.accepted = ballot, ballot, v
	return true
}

// viewMessage is a request of ServiceView.
type viewMessage struct {
	Op     viewOp
	Ballot uint64 `json:",omitempty"`
	View   *View  `json:",omitempty"`
}

type viewOp string

const (
	opPrepare viewOp = "prepare" // promise to accept nothing below Ballot
	opAccept  viewOp = "accept"  // accept View
	opView    viewOp = "view"    // View is decided
)

type viewAnswer struct {
	OK       bool
	Promised uint64 `json:",omitempty"`
	Ballot   uint64 `json:",omitempty"` // of Accepted
	Accepted *View  `json:",omitempty"` // opPrepare: what was accepted last
	Founded  bool   `json:",omitempty"` // opPrepare: there is a rack already
}

func callView(ctx context.Context, s *session, m *viewMessage) (*viewAnswer, error) {
	return callJSON[viewAnswer](ctx, s, ServiceView, m)
}

// serveView answers ServiceView.
func (r *Rack) serveView(q Request) {
	var m viewMessage
	if err := json.Unmarshal(q.Data, &m); err != nil {
		q.Fail(err)
		return
	}
	if m.Op == opView {
		r.learn(m.View)
		replyJSON(q, viewAnswer{OK: true})
		return
	}
	r.mu.Lock()
	a := viewAnswer{Founded: r.view.Version > 0}
	switch {
	case a.Founded:
	case m.Op == opPrepare:
		a.OK = r.founder.prepare(m.Ballot)
		a.Ballot, a.Accepted = r.founder.ballot, r.founder.accepted
	case m.Op == opAccept:
		a.OK = r.founder.accept(m.Ballot, m.View)
	}
	a.Promised = r.founder.promised
	r.mu.Unlock()
	replyJSON(q, a)
}

// tryFound founds the rack if this machine is the one to do so.
func (r *Rack) tryFound(ctx context.Context, now time.Duration) {
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
	if r.machine.former != nil || r.config.Machines == 1 {
		all = []MemberRecord{us} // decided alone; the others join
	}
	v := r.agree(ctx, all, need)
	if v == nil {
		return
	}
	r.learn(v)
	r.canvass(ctx, v.Members, &viewMessage{Op: opView, View: v}, func(uint64, *viewAnswer) bool { return false })
}

// agree has need of the given machines accept a first view, and returns it, or
// nil. It is the one that has been accepted already, if there may be one.
func (r *Rack) agree(ctx context.Context, all []MemberRecord, need int) *View {
	r.mu.Lock()
	r.ballot = max(r.ballot, r.founder.promised) + 1 + rand.Uint64N(4)
	ballot := r.ballot
	ok := r.founder.prepare(ballot)
	newest, v := r.founder.ballot, r.founder.accepted
	r.mu.Unlock()
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.Dead)
	defer cancel()
	promised := map[uint64]bool{r.e.nonce: true}
	founded := false
	r.canvass(ctx, all, &viewMessage{Op: opPrepare, Ballot: ballot}, func(from uint64, a *viewAnswer) bool {
		founded = founded || a.Founded
		if a.OK {
			promised[from] = true
			if a.Accepted != nil && a.Ballot > newest {
				newest, v = a.Ballot, a.Accepted
			}
		}
		r.outbid(a.Promised)
		return founded || len(promised) == len(all)
	})
	if founded || len(promised) < need {
		return nil
	}
	if v == nil {
		v = &View{Rack: rand.Uint64() | 1, Build: r.config.Build, Epoch: foundingEpoch, Version: foundingVersion, NextID: 1}
		for _, m := range all {
			if promised[m.Nonce] {
				m.ID = v.NextID
				v.NextID++
				v.Members = append(v.Members, m)
				if m.Nonce == r.e.nonce {
					v.Directory = m.ID
				}
			}
		}
	}
	r.mu.Lock()
	ok = r.view.Version == 0 && r.founder.accept(ballot, v)
	r.mu.Unlock()
	if !ok {
		return nil
	}
	accepted := 1
	if accepted < need {
		r.canvass(ctx, all, &viewMessage{Op: opAccept, Ballot: ballot, View: v}, func(from uint64, a *viewAnswer) bool {
			if a.OK {
				accepted++
			}
			r.outbid(a.Promised)
			return accepted >= need
		})
	}
	if accepted < need {
		return nil
	}
	return v
}

// outbid learns from others how far ballots have got, so that the next one is
// high enough. It is no promise of ours.
func (r *Rack) outbid(ballot uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ballot = max(r.ballot, ballot)
}

// canvass asks machines other than this one, at once, and hands every answer to
// take until it says that there are enough, all have answered or ctx ends.
func (r *Rack) canvass(ctx context.Context, to []MemberRecord, m *viewMessage, take func(from uint64, a *viewAnswer) (enough bool)) {
	type answer struct {
		from uint64
		a    *viewAnswer
	}
	answers := make(chan answer, len(to))
	asked := 0
	for _, p := range to {
		if p.Nonce == r.e.nonce {
			continue
		}
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
		asked++
	}
	for range asked {
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
