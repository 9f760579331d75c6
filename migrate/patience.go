package migrate

import (
	"context"
	"sync"
	"time"
)

// patience ends contexts that have been there for longer than transferBound, at the latest
// after twice that. There is one timer for all: to set one takes as long as much of what a small
// move does.
type patience struct {
	mu         sync.Mutex
	young, old map[*func()]struct{}
	running    bool // the timer
}

// context returns one that ends with parent, when it is cancelled, which it is to be, or
// when it has been there for too long.
func (p *patience) context(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	end := func() { cancel() }
	stop := p.watch(&end)
	return ctx, func() {
		stop()
		cancel()
	}
}

// watch calls end when it has been there for too long, unless it is stopped before.
func (p *patience) watch(end *func()) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.young == nil {
		p.young = map[*func()]struct{}{}
	}
	p.young[end] = struct{}{}
	if !p.running {
		p.running = true
		time.AfterFunc(transferBound, p.tick)
	}
	return func() {
		p.mu.Lock()
		delete(p.young, end)
		delete(p.old, end)
		p.mu.Unlock()
	}
}

// tick ends those that were there at the last tick already.
func (p *patience) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for cancel := range p.old {
		(*cancel)()
	}
	p.old, p.young = p.young, nil
	if p.running = len(p.old) > 0; p.running {
		time.AfterFunc(transferBound, p.tick)
	}
}
