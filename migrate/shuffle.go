package migrate

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"nuos/proclet"
	"nuos/rack"
)

// Shuffler moves random proclets to random machines, one every so often: a
// test of what moves, and a demonstration. Set the fields, then call Run.
type Shuffler struct {
	Rack  *rack.Rack // may be an observer
	Every time.Duration
	Seed  uint64
	// Done is told of every move that was asked for, from any goroutine.
	Done func(Report, error)
}

// movesAtOnce bounds how many moves go on at the same time, so that a rack that
// is slower than Every is not buried under them.
const movesAtOnce = 8

// lookAgain is how often the machines are asked what lives where: others may
// move, make and destroy proclets too.
const lookAgain = 2 * time.Second

// Run moves proclets until ctx ends, and returns when the last move is over. It
// fails when the rack cannot be asked what lives where.
func (s *Shuffler) Run(ctx context.Context) error {
	random := rand.New(rand.NewPCG(s.Seed, 0))
	slots := make(chan struct{}, movesAtOnce)
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	var moves sync.WaitGroup
	defer moves.Wait()
	p := &places{}
	for looked := (time.Time{}); ; {
		if time.Since(looked) > lookAgain {
			if err := p.look(ctx, s.Rack); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
			looked = time.Now()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case slots <- struct{}{}:
		}
		id, from, to, ok := p.choose(random)
		if !ok {
			<-slots
			continue
		}
		moves.Go(func() {
			// A move that was asked for is waited for: it goes on in any case.
			ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*transferBound)
			defer cancel()
			report, err := Ask(ask, s.Rack, from, id, to)
			p.moved(id, to, err)
			s.Done(report, err)
			<-slots
		})
	}
}

// places is what a shuffler knows of where proclets live.
type places struct {
	mu       sync.Mutex
	ids      []proclet.ID // that may move, in a stable order
	at       map[proclet.ID]rack.MachineID
	moving   map[proclet.ID]bool
	machines []rack.MachineID
}

// look asks every machine what lives there.
func (p *places) look(ctx context.Context, r *rack.Rack) error {
	var ids []proclet.ID
	var machines []rack.MachineID
	at := map[proclet.ID]rack.MachineID{}
	for _, member := range r.Members() {
		all, err := proclet.Ask(ctx, r, member.ID)
		if errors.Is(err, rack.ErrLost) {
			continue
		}
		if err != nil {
			return err
		}
		for _, info := range all {
			id, err := proclet.ParseID(info.ID)
			if err != nil {
				return err
			}
			if info.Pinned {
				continue
			}
			if _, twice := at[id]; !twice {
				ids = append(ids, id)
			}
			at[id] = member.ID
		}
		if !member.Draining {
			machines = append(machines, member.ID)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.moving {
		if here, known := p.at[id]; known {
			at[id] = here // moved() will correct it
		}
	}
	p.ids, p.at, p.machines = ids, at, machines
	if p.moving == nil {
		p.moving = map[proclet.ID]bool{}
	}
	return nil
}

// choose picks a proclet that is not moving and a machine that it is not on.
func (p *places) choose(random *rand.Rand) (id proclet.ID, from, to rack.MachineID, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ids) == 0 || len(p.machines) == 0 {
		return id, 0, 0, false
	}
	id = p.ids[random.IntN(len(p.ids))]
	from, to = p.at[id], p.machines[random.IntN(len(p.machines))]
	if p.moving[id] || from == to {
		return id, 0, 0, false
	}
	p.moving[id] = true
	return id, from, to, true
}

func (p *places) moved(id proclet.ID, to rack.MachineID, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.moving, id)
	if err == nil {
		p.at[id] = to
	}
}
