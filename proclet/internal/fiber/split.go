package fiber

import (
	"slices"

	"nuos/mm"
	"nuos/proclet/internal/stackmap"
)

// Split cuts the stack of f, which calls it, at all its boundaries. f goes on as
// the part above them: what was called at the innermost boundary. When that returns,
// f ends. Split returns the images of the others, the lowest first: thawed
// and started, each returns from its Call. The lowest one ends when f would have, the
// others when the function that was called at their lower boundary returns.
// [Fiber.Base] counts the boundaries that were cut off below a part.
//
// All parts have the same region, so a machine can have only one of them at a time,
// and a header each, copies of f's; the arena is divided as it was at the Calls.
//
// Every part is checked as if it left. If one cannot, Split returns why, and nothing
// has changed: a *stackmap.Refusal, or ErrPanicking.
//
//go:noinline
func (f *Fiber) Split() ([][]byte, error) {
	if !Movable {
		return nil, ErrNotMovable
	}
	var c context
	here(&c)
	// As the caller goes on: this frame does not leave.
	c.sp, c.pc, c.bp = c.bp+8, *word(c.bp + 8), *word(c.bp)
	parts := f.parts(&c) // the running one first
	if len(parts) == 1 {
		return nil, nil
	}
	links, err := cutChains(parts)
	for i := 0; i < len(parts) && err == nil; i++ {
		err = parts[i].check(f)
	}
	if err != nil {
		for _, l := range links {
			*l.cell = l.value
		}
		return nil, err
	}
	running, lower := &parts[0], parts[1:]
	slices.Reverse(lower)
	images := make([][]byte, len(lower))
	for i := range lower {
		images[i] = lower[i].image(f, f.base+i)
	}
	cut(&running.context, basePC)
	f.base += len(lower)
	f.arenaBase = running.arenaBase
	return images, nil
}

// part is what lies between two boundaries of a stack.
type part struct {
	context             // where it goes on; top is the boundary below it
	arenaBase, arenaEnd uintptr
}

// parts returns the parts of the stack that c continues, from the top.
func (f *Fiber) parts(c *context) []part {
	ps := []part{{context: *c, arenaEnd: f.arena}}
	for bp := c.bp; ; {
		last := &ps[len(ps)-1]
		b, ok := nextBoundary(&bp)
		if !ok {
			last.arenaBase = f.arenaBase
			return ps
		}
		last.top, last.arenaBase = uintptr(b), b.arena()
		ps = append(ps, part{context: b.context(f, c.top), arenaEnd: b.arena()})
	}
}

// link is a word that pointed from a record of one part to one of the part below it.
type link struct {
	cell  *uintptr
	value uintptr
}

// cutChains ends the chains of deferred calls and of panics of each part where they
// go on in the part below it, and returns what it has changed. Until that is
// undone, or the stack is cut, f must not panic. The collector finds the records
// without the chains, in the frames.
func cutChains(ps []part) ([]link, error) {
	var links []link
	for i := range ps[:len(ps)-1] {
		p, lower := &ps[i], &ps[i+1].context
		d, heap := &p.deferred, false
		for *d != lower.deferred && *d != 0 {
			r := (*deferRecord)(pointer(*d))
			d, heap = &r.link, heap || r.heap
		}
		q := &p.panicked
		for *q != lower.panicked && *q != 0 {
			r := (*panicRecord)(pointer(*q))
			if r.sp >= p.top {
				return links, ErrPanicking // it runs a function deferred below
			}
			q = &r.link
		}
		if *d != lower.deferred || *q != lower.panicked {
			return links, ErrPanicking // it has run functions deferred below
		}
		// A record in Go's heap is not ours to change, and is going to be refused.
		if !heap {
			links = append(links, link{d, *d})
			*d = 0
		}
		links = append(links, link{q, *q})
		*q = 0
	}
	return links, nil
}

// check reports why p cannot leave.
func (p *part) check(f *Fiber) error {
	own := [3]mm.Range{
		{Base: mm.Virt(f.address()), Size: HeaderSize},
		{Base: mm.Virt(p.arenaBase), Size: uint64(p.arenaEnd - p.arenaBase)},
		{Base: mm.Virt(p.top), Size: argSize},
	}
	return stackmap.Check(p.pc, p.sp+8, p.bp, stackmap.Stack{
		Lo: f.stackLo(), Hi: p.top, Own: own[:], Defer: p.deferred, Panic: p.panicked,
	})
}

// image makes an image of p, a lower part with base boundaries below it.
func (p *part) image(f *Fiber, base int) []byte {
	b := f.appendPart(nil, &p.context, p.arenaBase, p.arenaEnd)
	h := headerAt(b, int(preambleSize))
	h.base = base
	h.kicked.Store(0)
	h.parker.state.Store(awake)
	s := frozen{p.sp, b[preambleSize+HeaderSize:][:p.top+argSize-p.sp]}
	s.set(p.top-8, basePC)
	s.set(p.top-16, 0) // the frame pointer that the outermost function has saved
	return b
}
