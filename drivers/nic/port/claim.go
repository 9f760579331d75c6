package port

import (
	"slices"
	"sync"
	"sync/atomic"

	"nuos/drivers/nic"
)

// claims is who gets which frame. Delivery reads a snapshot without a lock.
type claims struct {
	unclaimed atomic.Uint64
	rested    atomic.Uint64            // frames that rest has got
	list      atomic.Pointer[[]*claim] // replaced whole
	rest      atomic.Pointer[claim]

	mu sync.Mutex // held while list is replaced
}

type claim struct {
	match   func(frame []byte) bool
	deliver func(f nic.Frame, more bool)
	before  func()
}

// Claim has deliver called with every received frame that match accepts and
// that no earlier claim has taken. Both run on whoever polls, one frame at a
// time; they must be quick, must not keep frame and must cope with any bytes,
// of any length. A match that returns false may have looked; it sees the first piece of a
// frame that has several.
//
// cancel withdraws the claim; when it returns, deliver is not running and will
// not be called again.
func (p *Port) Claim(match func(frame []byte) bool, deliver func(frame []byte)) (cancel func()) {
	return p.ClaimPieces(match, func(f nic.Frame, _ bool) { deliver(f.Whole()) }, nil)
}

// ClaimPieces is Claim for who takes frames in the pieces in which a card delivers them. deliver is
// told whether more frames, of whomever, have come at the same time and are delivered next. If before
// is not nil it is called each time before somebody looks at the card: it is for sending what has
// gathered since the last time. Pumping says whether that will be soon.
func (p *Port) ClaimPieces(match func(frame []byte) bool, deliver func(f nic.Frame, more bool), before func()) (cancel func()) {
	c := &claim{match, deliver, before}
	p.claims.replace(func(l []*claim) []*claim { return append(l, c) })
	return func() {
		p.claims.replace(func(l []*claim) []*claim {
			return slices.DeleteFunc(l, func(o *claim) bool { return o == c })
		})
		p.settle()
	}
}

// ClaimRest has deliver called with every frame that no claim has taken, in one piece. There
// is one such claimant, the last to ask.
func (p *Port) ClaimRest(deliver func(frame []byte)) (cancel func()) {
	c := &claim{nil, func(f nic.Frame, _ bool) { deliver(f.Whole()) }, nil}
	p.claims.rest.Store(c)
	return func() {
		p.claims.rest.CompareAndSwap(c, nil)
		p.settle()
	}
}

// settle returns when every delivery that had begun is over.
func (p *Port) settle() {
	p.rx.mu.Lock()
	p.rx.mu.Unlock() //lint:ignore SA2001 to have held it is the point
}

// Unclaimed returns how many frames nobody wanted.
func (p *Port) Unclaimed() uint64 { return p.claims.unclaimed.Load() }

func (c *claims) replace(change func([]*claim) []*claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var old []*claim
	if l := c.list.Load(); l != nil {
		old = slices.Clone(*l)
	}
	l := change(old)
	c.list.Store(&l)
}

// before tells claimants that somebody is about to look at the card. Called with the receiving
// lock held.
func (c *claims) before() {
	if l := c.list.Load(); l != nil {
		for _, claim := range *l {
			if claim.before != nil {
				claim.before()
			}
		}
	}
}

// deliver hands a frame to its claimant. Called with the receiving lock held.
func (c *claims) deliver(f nic.Frame, more bool) {
	if l := c.list.Load(); l != nil {
		for _, claim := range *l {
			if claim.match(f.Bytes) {
				claim.deliver(f, more)
				return
			}
		}
	}
	if rest := c.rest.Load(); rest != nil {
		c.rested.Add(1)
		rest.deliver(f, more)
		return
	}
	c.unclaimed.Add(1)
}
