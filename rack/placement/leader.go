package placement

import (
	"fmt"
	"slices"
	"time"
)

// Leader knows the machines of a rack by their reports, and says where proclets go.
type Leader struct {
	policy   Policy
	machines map[Machine]*machine
	order    []*machine // by number
}

// machine is one as the leader knows it.
type machine struct {
	id       Machine
	at       time.Duration // of the report
	state    State
	draining bool

	promises []promise     // to it, oldest first
	source   *promise      // what it gives away now
	refused  time.Duration // until then it takes nothing: it has said so
	fuller   int           // looks in a row at which it was much fuller than another machine
	calm     time.Duration // until then it is not evened out
}

// promise is room on a machine for what comes there. It is open until its source has said what has
// become of it, and counts until reports show that.
type promise struct {
	from, to Machine
	kind     Kind
	bytes    uint64
	load     float64
	open     bool
	until    time.Duration
}

// Grant is the leader's answer to a Request, or its own order: the source From may move what fits
// into Bytes and Load to To, until it has what it wants. With To 0 it may not, and Reason says why.
type Grant struct {
	From, To  Machine
	Kind      Kind
	Bytes     uint64  // that there is room for
	Load      float64 // processors that there is room for
	WantBytes uint64
	WantLoad  float64
	Reason    string
	Lease     time.Duration // how long it holds
}

func NewLeader(p Policy) *Leader { return &Leader{policy: p, machines: map[Machine]*machine{}} }

// Report takes a machine's report.
func (l *Leader) Report(now time.Duration, id Machine, st State, draining bool) {
	m := l.machines[id]
	if m == nil {
		m = &machine{id: id}
		l.machines[id] = m
		i, _ := slices.BinarySearchFunc(l.order, id, func(m *machine, id Machine) int { return int(int64(m.id) - int64(id)) })
		l.order = slices.Insert(l.order, i, m)
	}
	m.at, m.state, m.draining = now, st, draining
}

// Gone forgets a machine that has left or died.
func (l *Leader) Gone(id Machine) {
	delete(l.machines, id)
	l.order = slices.DeleteFunc(l.order, func(m *machine) bool { return m.id == id })
	for _, m := range l.order {
		m.promises = slices.DeleteFunc(m.promises, func(p promise) bool { return p.from == id && p.open })
		if m.source != nil && m.source.to == id {
			m.source = nil
		}
	}
}

// Machines returns those that have reported, in the order of their numbers.
func (l *Leader) Machines() (all []Machine) {
	for _, m := range l.order {
		all = append(all, m.id)
	}
	return all
}

// expire ends what has been open, or has counted, for long enough.
func (l *Leader) expire(now time.Duration) {
	for _, m := range l.order {
		m.promises = slices.DeleteFunc(m.promises, func(p promise) bool { return now >= p.until })
		if m.source != nil && now >= m.source.until {
			m.source = nil
		}
	}
}

// room is what a machine can still take.
type room struct {
	bytes uint64
	load  float64
}

func (l *Leader) room(m *machine, reserve float64) room {
	p := &l.policy
	bytes := float64(m.state.Free) - float64(m.state.Watermark)*(1+reserve) - m.state.Fall*p.Horizon.Seconds()
	load := float64(m.state.Processors) - max(m.state.Peak, m.state.Load)
	for _, x := range m.promises {
		bytes -= float64(x.bytes)
		load -= x.load
	}
	return room{uint64(max(bytes, 0)), load}
}

// receives reports whether something is on its way to m.
func (m *machine) receives() bool {
	return slices.ContainsFunc(m.promises, func(p promise) bool { return p.open })
}

// Ask answers a source's request.
func (l *Leader) Ask(now time.Duration, q Request) Grant {
	l.expire(now)
	no := func(format string, args ...any) Grant {
		return Grant{From: q.From, Kind: q.Kind, Reason: fmt.Sprintf(format, args...)}
	}
	from := l.machines[q.From]
	if from == nil {
		return no("machine %d has not reported yet", q.From)
	}
	if from.source != nil {
		if from.source.open && from.source.kind != Evening {
			return no("machine %d gives to machine %d already", q.From, from.source.to)
		}
		l.Done(now, q.From, 0, 0) // it has begun anew, and pressure goes first
	}
	if from.receives() {
		return no("machine %d receives, and does not give meanwhile", q.From)
	}
	to, r, why := l.choose(now, q, l.policy.Reserve)
	if to == nil && q.Kind == Draining {
		to, r, why = l.choose(now, q, 0)
	}
	if to == nil {
		return no("%s", why)
	}
	g := Grant{From: q.From, To: to.id, Kind: q.Kind, Bytes: r.bytes, Load: max(r.load, 0) + l.policy.Slack, WantBytes: q.Bytes, WantLoad: q.Load}
	if q.Kind == Processor {
		g.WantLoad = min(g.WantLoad, g.Load)
	}
	g.Reason = fmt.Sprintf("machine %d has room for %s and %.2f processors, and makes %.0f%% of the calls; wanted are %s and %.2f",
		to.id, Size(r.bytes), r.load, 100*partOf(q.Callers, to.id), Size(q.Bytes), q.Load)
	l.open(now, &g, min(q.Bytes, r.bytes), min(q.Load, g.Load))
	return g
}

// open makes g hold.
func (l *Leader) open(now time.Duration, g *Grant, bytes uint64, load float64) {
	g.Lease = l.policy.Lease
	p := promise{from: g.From, to: g.To, kind: g.Kind, bytes: bytes, load: load, open: true, until: now + g.Lease}
	to, from := l.machines[g.To], l.machines[g.From]
	to.promises = append(to.promises, p)
	from.source = &p
}

// Done ends the grant of a source, which has moved so much of it.
func (l *Leader) Done(now time.Duration, from Machine, bytes uint64, load float64) {
	m := l.machines[from]
	if m == nil || m.source == nil {
		return
	}
	s := m.source
	m.source = nil
	if s.kind == Evening {
		m.calm = now + l.policy.Settle
		if bytes == 0 {
			m.calm = now + fruitless
		}
	}
	to := l.machines[s.to]
	if to == nil {
		return
	}
	for i := range to.promises {
		if p := &to.promises[i]; p.open && p.from == from {
			*p = promise{from: from, to: s.to, kind: s.kind, bytes: bytes, load: load, until: now + l.policy.Settle}
			return
		}
	}
}

// fruitless is for how long a machine is left alone that had nothing to give to a less full one.
const fruitless = 10 * time.Second

// Refused ends the grant of a source whose destination has refused the next proclet.
func (l *Leader) Refused(now time.Duration, from Machine, bytes uint64, load float64) {
	if m := l.machines[from]; m != nil && m.source != nil {
		if to := l.machines[m.source.to]; to != nil {
			to.refused = now + l.policy.Settle
		}
	}
	l.Done(now, from, bytes, load)
}

// choose finds the machine with most room among those that have some, and says why there is none.
func (l *Leader) choose(now time.Duration, q Request, reserve float64) (best *machine, most room, why string) {
	value := 0.
	for _, m := range l.order {
		r := l.room(m, reserve)
		if m.id == q.From || l.busy(now, m) != none || l.short(q, m, r) != none {
			continue
		}
		v := min(float64(r.bytes)/float64(m.state.Total), 1)
		if s := max(r.load, 0) / float64(max(m.state.Processors, 1)); q.Kind == Processor {
			v = s
		} else {
			v = (v + s) / 2 // a machine with processors to spare, too, if there is one
		}
		v += l.policy.Affinity * partOf(q.Callers, m.id)
		if best == nil || v > value {
			best, most, value = m, r, v
		}
	}
	if best != nil {
		return best, most, ""
	}
	why = "no machine has room"
	for _, m := range l.order {
		if m.id != q.From && len(why) < longestReason {
			why += l.explain(now, q, m, reserve)
		}
	}
	return nil, most, why
}

// longestReason is how long the list of machines that were not chosen gets.
const longestReason = 400

func partOf(all []Share, m Machine) float64 {
	for _, s := range all {
		if s.Machine == m {
			return s.Part
		}
	}
	return 0
}
