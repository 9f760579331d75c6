package rack

import (
	"context"
	"fmt"
	"sync"
)

// Where proclets live. The directory knows, and every machine caches what it
// has heard. Changes travel to the directory in batches: while one is under
// way the next gathers.

// Location says where a proclet lives. Moves counts its moves: of two
// locations the one with more moves is right.
type Location struct {
	Machine MachineID
	Moves   uint64
}

// locations is a machine's cache.
type locations struct {
	mu sync.RWMutex
	at map[uint64]Location
}

func (c *locations) get(id uint64) (Location, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	l, ok := c.at[id]
	return l, ok
}

func (c *locations) put(id uint64, at Location) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, known := c.at[id]; !known || at.Moves >= old.Moves {
		c.at[id] = at
	}
}

// drop forgets a location, unless one with more moves has become known.
func (c *locations) drop(id uint64, at Location) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, known := c.at[id]; known && old.Moves <= at.Moves {
		delete(c.at, id)
	}
}

// publisher gathers what the directory must be told.
type publisher struct {
	mu      sync.Mutex
	pending map[uint64]located
	wake    chan struct{}
}

// Publish says where a proclet lives. The directory hears of it soon, and
// again after it was replaced; a location with fewer moves than a known one is
// ignored.
func (r *Rack) Publish(id uint64, at Location) {
	r.known.put(id, at)
	r.publish(located{id: id, at: at})
}

// Forget says that a proclet is no more, which lived at a location last. The
// directory hears of it soon.
func (r *Rack) Forget(id uint64, at Location) {
	r.known.drop(id, at)
	r.publish(located{id: id, at: at, forget: true})
}

// Learn records, on this machine only, a location that another has told.
func (r *Rack) Learn(id uint64, at Location) { r.known.put(id, at) }

// Located returns where a proclet lives as far as is known here.
func (r *Rack) Located(id uint64) (Location, bool) { return r.known.get(id) }

// Locate returns where a proclet lives, from the cache if it knows. That may
// be out of date; the machine that is named knows better, and Relocate asks
// the directory.
func (r *Rack) Locate(ctx context.Context, id uint64) (Location, error) {
	if at, ok := r.known.get(id); ok {
		return at, nil
	}
	return r.Relocate(ctx, id)
}

// Relocate is Locate past the cache. It returns ErrNotFound if the directory
// does not know the proclet, and ErrNoDirectory if there is none to ask.
//
// What was published a moment ago may be on its way to the directory: the machines
// themselves know better. When Relocate returns, Members has
// every machine that was a member when the directory answered, so that all can be asked.
func (r *Rack) Relocate(ctx context.Context, id uint64) (Location, error) {
	before, _ := r.known.get(id)
	r.mu.Lock()
	version := r.view.Version
	r.mu.Unlock()
	a, err := r.askDirectory(ctx, &directoryMessage{Op: opLocate, Proclet: id, Version: version})
	if err != nil {
		return Location{}, err
	}
	r.learn(a.View)
	if !a.Found {
		r.known.drop(id, before)
		return Location{}, fmt.Errorf("%w: proclet %#x", ErrNotFound, id)
	}
	r.known.put(id, a.Location)
	return a.Location, nil
}

func (r *Rack) publish(l located) {
	p := &r.batch
	p.mu.Lock()
	if old, is := p.pending[l.id]; !is || l.at.Moves >= old.at.Moves {
		p.pending[l.id] = l
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// maxBatch is how many locations travel in one message.
const maxBatch = 16 << 10

// runPublisher sends what gathers to the directory.
func (r *Rack) runPublisher() {
	p := &r.batch
	for {
		select {
		case <-p.wake:
		case <-r.ctx.Done():
			return
		}
		for {
			batch := p.take()
			if len(batch) == 0 {
				break
			}
			var b []byte
			for _, l := range batch {
				b = appendLocated(b, l)
			}
			if _, err := r.askDirectory(r.ctx, &directoryMessage{Op: opPublish, Locations: b}); err != nil {
				if r.ctx.Err() != nil {
					return
				}
				p.putBack(batch)
				if !r.pause(r.config.Dead / ticksToDeath) {
					return
				}
				continue
			}
			r.takeBack(batch)
		}
	}
}

// takeBack has the directory forget those of the locations it has just been told
// that were out of date by then: what has been told of the proclet's next location
// or its end may have come first.
func (r *Rack) takeBack(batch []located) {
	for _, l := range batch {
		if at, ok := r.known.get(l.id); !l.forget && (!ok || at != l.at) {
			r.publish(located{id: l.id, at: l.at, forget: true})
		}
	}
}

func (p *publisher) take() (batch []located) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, l := range p.pending {
		if len(batch) == maxBatch {
			break
		}
		batch = append(batch, l)
		delete(p.pending, id)
	}
	return batch
}

// putBack returns what could not be sent, unless something newer has come.
func (p *publisher) putBack(batch []located) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range batch {
		if _, newer := p.pending[l.id]; !newer {
			p.pending[l.id] = l
		}
	}
}
