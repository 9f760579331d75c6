package balance

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"nuos/boot"
	"nuos/migrate"
	"nuos/proclet"
	"nuos/rack"
	"nuos/rack/placement"
)

var balanceParam = boot.NewParam("balance", "on", "balance: on or off: whether proclets move by themselves")

// network is what a Balancer needs of the rack; see the methods of rack.Rack.
type network interface {
	caller
	Self() rack.Member
	Members() []rack.Member
	Directory() (rack.MachineID, bool)
	Handle(s rack.Service, h func(rack.Request))
	OnDeath(f func(rack.MachineID))
	OnLeave(f func(rack.MachineID))
}

// Balancer is this machine's part in balancing the rack.
type Balancer struct {
	net      network
	proclets *proclet.Runtime
	migrator *migrate.Migrator
	policy   placement.Policy
	sample   func() placement.Sample
	events   eventLog
	began    time.Time
	reports  reports

	mu     sync.Mutex
	sensor *placement.Sensor
	source *placement.Source
	cost   *placement.Cost
	takes  map[rack.MachineID]time.Duration // until when offers of other machines hold
	tried  map[proclet.ID]attempt           // what could not be moved

	leading sync.Mutex
	leader  *placement.Leader // nil unless this machine leads
	evened  time.Duration     // when it was looked last whether machines are to be evened out
}

// Serve has this machine take part in balancing the rack's load from now on, as long as r is a
// member. With boot parameter balance=off it only answers that there are no events.
func Serve(r *rack.Rack, rt *proclet.Runtime, m *migrate.Migrator) *Balancer {
	b := newBalancer(r, rt, m, placement.Default())
	b.sample = sampler(r, rt)
	on := balanceParam.Value()
	if on != "on" && on != "off" {
		fmt.Fprintf(os.Stderr, "balance: boot parameter balance=%s: want on or off; using %s\n", on, balanceParam.Default)
		on = balanceParam.Default
	}
	r.Handle(rack.ServiceEvents, b.events.serve)
	if on == "on" {
		b.start(r.Done())
		m.OnOverview(func(o *migrate.Overview) {
			state := b.State()
			o.Short.Memory, o.Short.Processor = state.Memory, state.Processor
		})
	}
	return b
}

func newBalancer(n network, rt *proclet.Runtime, m *migrate.Migrator, p placement.Policy) *Balancer {
	return &Balancer{
		net: n, proclets: rt, migrator: m, policy: p, events: eventLog{self: n.Self().ID}, began: time.Now(),
		sensor: placement.NewSensor(p), source: placement.NewSource(p), cost: placement.NewCost(),
		takes: map[rack.MachineID]time.Duration{}, tried: map[proclet.ID]attempt{},
	}
}

// start runs until done is closed.
func (b *Balancer) start(done <-chan struct{}) {
	b.net.Handle(rack.ServicePlacement, b.serve)
	b.net.OnDeath(b.gone)
	b.net.OnLeave(b.gone)
	b.migrator.Admit(b.admit)
	b.migrator.OthersDrain()
	go b.look(done)
}

// now is the time that decisions are made by.
func (b *Balancer) now() time.Duration { return time.Since(b.began) }

func (b *Balancer) self() rack.MachineID { return b.events.self }

// State returns what this machine senses of itself.
func (b *Balancer) State() placement.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sensor.State()
}

// callBound is how long another machine may take to answer.
const callBound = time.Second

func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), callBound)
}
