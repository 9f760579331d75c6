package rack

import (
	"context"
	"encoding/json"
)

// How one machine asks the others, for promises, acceptance and reports.

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
	View      *View                `json:",omitempty"` // the newest that is known
	Decided   bool                 `json:",omitempty"` // so is View
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
