package simulation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"nuos/rack/placement"
)

// Config is what is simulated. All fields but Still and Faults have to be set; see [Default].
type Config struct {
	Seed       uint64
	Machines   int
	Processors int    // of a machine
	Memory     uint64 // of a machine, in bytes
	Proclets   int
	Load       *Load
	Filled     float64 // the part of all memory that proclets take when all are busiest
	For        time.Duration
	Network    Network
	Cost       *placement.Cost // what a move really takes
	Still      bool            // nothing moves
	Faults     bool            // machines crash, pause, drain and are cut off
}

// Default is a rack of 100 Gbit/s with so many machines and proclets, whose applications ask for a part of
// its processors at the busiest moment.
func Default(seed uint64, machines, proclets int, busiest float64) Config {
	c := Config{
		Seed: seed, Machines: machines, Processors: 32, Memory: 16 << 30, Proclets: proclets,
		Filled: .6, For: 60 * time.Second,
		Network: Network{Delay: 3 * time.Microsecond, Jitter: 10 * time.Microsecond},
		Cost:    placement.NewCost(),
	}
	r := rand.New(rand.NewPCG(seed, 1))
	c.Load = RandomLoad(r, max(2, machines/4), busiest*float64(machines*c.Processors))
	return c
}

// ErrConfig means that a Config makes no sense.
var ErrConfig = errors.New("simulation: unusable configuration")

func (c *Config) check() error {
	switch {
	case c.Machines < 2 || c.Machines > 10_000:
		return fmt.Errorf("%w: %d machines; want 2 to 10000", ErrConfig, c.Machines)
	case c.Proclets < 1 || c.Proclets > 10_000_000:
		return fmt.Errorf("%w: %d proclets; want 1 to 10000000", ErrConfig, c.Proclets)
	case c.Processors < 1 || c.Memory < 1<<20:
		return fmt.Errorf("%w: machines of %d processors and %d bytes", ErrConfig, c.Processors, c.Memory)
	case c.Load == nil || c.Cost == nil || c.For <= 0 || !(c.Filled > 0 && c.Filled < 1):
		return fmt.Errorf("%w: no load, no cost, no time, or memory filled to %g", ErrConfig, c.Filled)
	}
	return nil
}

// world is a rack in virtual time.
type world struct {
	config  Config
	policy  placement.Policy
	random  *rand.Rand
	now     time.Duration
	agenda  agenda
	planned uint64

	machines     []*machine // in service, by place; the dead are replaced when they boot
	byID         map[placement.Machine]*machine
	incarnations int
	proclets     map[uint64]*proclet
	made         uint64
	requests     uint64

	leader   *placement.Leader
	leaderAt *machine
	reign    int // counts leaders

	row          int     // of the load
	part         float64 // of the way to the next row
	begins, ends []need  // by application, at this row and at the next
	peaks        []float64
	healed       time.Duration // until then the network is divided

	result Result
	trace  []string
	broken error
}

// step is how often machines look at themselves.
const step = time.Millisecond

// Run simulates. It returns a *[Broken] if an invariant did not hold, and the context's error when
// that ends. The same Config gives the same Result.
func Run(ctx context.Context, c Config) (*Result, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	w := newWorld(c)
	for tick := 0; w.now < c.For && w.broken == nil; tick++ {
		if tick%1000 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		w.tick(tick)
		w.advance(w.now + step)
	}
	if w.broken == nil {
		w.checkAll()
	}
	if w.broken != nil {
		return nil, w.broken
	}
	return w.result.finish(w), nil
}

func newWorld(c Config) *world {
	n := c.Load.applications
	w := &world{
		config: c, policy: placement.Default(), random: rand.New(rand.NewPCG(c.Seed, 0)),
		byID: map[placement.Machine]*machine{}, proclets: map[uint64]*proclet{},
		begins: make([]need, n), ends: make([]need, n),
	}
	w.result.init()
	w.peaks, _ = c.Load.peaks()
	w.look()
	for range c.Machines {
		m := w.newMachine()
		w.machines = append(w.machines, m)
		w.byID[m.id] = m
	}
	w.elect()
	w.populate()
	if c.Faults {
		w.planFault()
	}
	return w
}

// populate makes all proclets: those of an application are next to each other, and all machines are
// equally busy in the beginning.
func (w *world) populate() {
	total, all := 0., 0.
	for a, peak := range w.peaks {
		all += peak
		total += w.needed(a).processors
	}
	bytes := w.config.Filled * float64(w.config.Memory) * float64(w.config.Machines) / float64(w.config.Proclets)
	place, on := 0, 0.
	for a, peak := range w.peaks {
		n := max(1, int(float64(w.config.Proclets)*peak/all))
		shares, sum := make([]float64, n), 0.
		for i := range shares {
			shares[i] = math.Exp(w.random.NormFloat64() / 2)
			sum += shares[i]
		}
		for _, s := range shares {
			p := &proclet{application: a, share: s / sum, peak: bytes * math.Exp(w.random.NormFloat64()/2-.125)}
			w.add(p, w.machines[place])
			p.since = -time.Hour
			on += p.of(w.needed(a)).processors
			if on >= total/float64(w.config.Machines) && place+1 < w.config.Machines {
				place, on = place+1, 0
			}
		}
	}
}

func (w *world) add(p *proclet, m *machine) {
	w.made++
	p.key = w.made
	w.proclets[p.key] = p
	w.settle(p, m)
}

// How often machines report, in steps, and how often the leader evens them out.
const (
	reportSteps = 10
	evenSteps   = 100
	checkSteps  = 500
)

// tick is what happens every step.
func (w *world) tick(n int) {
	w.look()
	for i, m := range w.machines {
		w.sense(m)
		if m.dead || w.now < m.paused {
			continue
		}
		if (n+i)%reportSteps == 0 {
			w.report(m)
		}
		w.act(m)
	}
	if n%evenSteps == 0 && !w.config.Still && !w.leaderAt.dead && w.now >= w.leaderAt.paused {
		w.even()
	}
	if n%checkSteps == 0 {
		w.checkAll()
	}
}

// tell has a machine say something to whoever leads when it arrives.
func (w *world) tell(m *machine, arrive func()) {
	to := w.leaderAt
	w.send(m, to, func() {
		if w.leaderAt == to {
			arrive()
		}
	})
}

// even has the leader even machines out.
func (w *world) even() {
	for _, g := range w.leader.Even(w.now) {
		m, reign, until := w.byID[g.From], w.reign, w.now+g.Lease
		w.say("leader: machine %d is to give to %d: %s", g.From, g.To, g.Reason)
		if m == nil {
			continue
		}
		w.send(w.leaderAt, m, func() {
			if m.give == nil && m.takes == 0 && w.now < until && m.source.Order() {
				w.begin(m, g, reign, until)
				return
			}
			w.tell(m, func() {
				if w.reign == reign {
					w.leader.Done(w.now, m.id, 0, 0)
				}
			})
		})
	}
}

// elect makes the first machine that works the leader.
func (w *world) elect() {
	for _, m := range w.machines {
		if !m.dead && w.now >= m.paused {
			w.leader, w.leaderAt = placement.NewLeader(w.policy), m
			w.reign++
			return
		}
	}
	w.after(electionTime, w.elect)
}

// electionTime is how long a rack is without a leader when its machine dies.
const electionTime = 300 * time.Millisecond

// traced is how many of the last events are kept.
const traced = 200

func (w *world) say(format string, args ...any) {
	if len(w.trace) >= 2*traced {
		w.trace = append(w.trace[:0], w.trace[traced:]...)
	}
	w.trace = append(w.trace, fmt.Sprintf("%12v ", w.now)+fmt.Sprintf(format, args...))
}
