package balance

import (
	"encoding/json"
	"fmt"
	"time"

	"nuos/rack"
	"nuos/rack/placement"
)

// message is what rack.ServicePlacement is asked, as JSON.
type message struct {
	Op       string            `json:"op"`
	State    placement.State   `json:"state,omitzero"`
	Draining bool              `json:"draining,omitempty"`
	Request  placement.Request `json:"request,omitzero"`
	Grant    placement.Grant   `json:"grant,omitzero"`
	Bytes    uint64            `json:"bytes,omitempty"`
	Load     float64           `json:"load,omitempty"`
	Refused  bool              `json:"refused,omitempty"`
}

const (
	opReport = "report" // to the leader: how a machine is
	opAsk    = "ask"    // to the leader: where to; answered with a placement.Grant
	opDone   = "done"   // to the leader: what came of a grant
	opOrder  = "order"  // from the leader: move something
	opOffer  = "offer"  // to a destination: so much is about to come
)

// tell sends a message to the leader.
func (b *Balancer) tell(m message, answer any) error {
	id, ok := b.net.Directory()
	if !ok {
		return rack.ErrNoDirectory
	}
	ctx, cancel := bounded()
	defer cancel()
	return ask(ctx, b.net, id, rack.ServicePlacement, m, answer)
}

func (b *Balancer) serve(q rack.Request) {
	var m message
	if err := json.Unmarshal(q.Data, &m); err != nil {
		q.Fail(fmt.Errorf("%w: %v", ErrMessage, err))
		return
	}
	answer, err := b.obey(q.From, m)
	if err != nil {
		q.Fail(err)
		return
	}
	reply, err := json.Marshal(answer)
	if err != nil {
		q.Fail(err)
		return
	}
	q.Reply(reply)
}

func (b *Balancer) obey(from rack.MachineID, m message) (any, error) {
	switch m.Op {
	case opOrder:
		return struct{}{}, b.ordered(m.Grant)
	case opOffer:
		return struct{}{}, b.offered(from, m)
	}
	b.leading.Lock()
	defer b.leading.Unlock()
	if !b.leads() {
		return nil, ErrNotLeader
	}
	id := placement.Machine(from)
	switch m.Op {
	case opReport:
		b.leader.Report(b.now(), id, m.State, m.Draining)
		b.evenOut()
		return struct{}{}, nil
	case opAsk:
		m.Request.From = id
		g := b.leader.Ask(b.now(), m.Request)
		if g.To == 0 {
			b.events.add("refusal", "machine %d may not move anything (%v): %s", id, g.Kind, g.Reason)
		} else {
			b.events.add("grant", "machine %d may move to machine %d (%v): %s", id, g.To, g.Kind, g.Reason)
		}
		return g, nil
	case opDone:
		if m.Refused {
			b.leader.Refused(b.now(), id, m.Bytes, m.Load)
		} else {
			b.leader.Done(b.now(), id, m.Bytes, m.Load)
		}
		return struct{}{}, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrMessage, m.Op)
}

// leads reports whether this machine is the leader now. Called with leading held.
func (b *Balancer) leads() bool {
	id, ok := b.net.Directory()
	switch {
	case !ok || id != b.self():
		b.leader = nil // what it knew gets old
	case b.leader == nil:
		b.leader = placement.NewLeader(b.policy)
	}
	return b.leader != nil
}

// gone forgets a machine that has died or left.
func (b *Balancer) gone(id rack.MachineID) {
	b.leading.Lock()
	defer b.leading.Unlock()
	if b.leader != nil {
		b.leader.Gone(placement.Machine(id))
	}
}

// evenEvery is how often it is looked whether some machines are much fuller than others.
const evenEvery = 100 * time.Millisecond

// evenOut has full machines give to empty ones. Called with leading held.
func (b *Balancer) evenOut() {
	now := b.now()
	if now-b.evened < evenEvery {
		return
	}
	b.evened = now
	members := map[placement.Machine]bool{}
	for _, m := range b.net.Members() {
		members[placement.Machine(m.ID)] = true
	}
	for _, id := range b.leader.Machines() {
		if !members[id] {
			b.leader.Gone(id) // a report of it came late
		}
	}
	for _, g := range b.leader.Even(now) {
		b.events.add("order", "machine %d is to give %s and a load of %.2f to machine %d: %s",
			g.From, placement.Size(g.WantBytes), g.WantLoad, g.To, g.Reason)
		go b.order(g)
	}
}

// order has a machine move something.
func (b *Balancer) order(g placement.Grant) {
	ctx, cancel := bounded()
	defer cancel()
	err := ask(ctx, b.net, rack.MachineID(g.From), rack.ServicePlacement, message{Op: opOrder, Grant: g}, &struct{}{})
	if err == nil {
		return // the source says when it is done
	}
	b.events.add("order", "machine %d gives nothing to machine %d: %v", g.From, g.To, err)
	b.leading.Lock()
	defer b.leading.Unlock()
	if b.leader != nil {
		b.leader.Done(b.now(), g.From, 0, 0)
	}
}
