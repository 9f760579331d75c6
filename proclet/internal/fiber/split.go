package fiber

import (
	"slices"

	"nuos/mm"
	"nuos/proclet/internal/stackmap"
)

// part is what lies between two boundaries of a stack.
type part struct {
	context             // where it goes on; context.top is the boundary below it
	arenaBase, arenaEnd uintptr
}

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
	parts := f.parts(&c) // the running one first
	for i := range parts {
		if err := f.separable(parts, i); err != nil {
			return nil, err
		}
	}
	if len(parts) == 1 {
		return nil, nil
	}
	lower := parts[1:]
	slices.Reverse(lower)
	images := make([][]byte, len(lower))
	for i := range lower {
		images[i] = f.partImage(&lower[i], f.base+i)
	}
	running := &parts[0]
	live := frozen{c.sp, bytesAt(c.sp, running.top-c.sp)}
	live.cutChains(&running.context)
	cut(&running.context, basePC)
	f.base += len(lower)
	f.arenaBase = running.arenaBase
	return images, nil
}

// parts returns the parts of the stack that c continues.
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

// separable reports why part i cannot be separated from those below it.
func (f *Fiber) separable(ps []part, i int) error {
	p := &ps[i]
	var lower context
	if i+1 < len(ps) {
		lower = ps[i+1].context
	}
	d := p.deferred
	for d != lower.deferred && d != 0 {
		d = (*deferRecord)(pointer(d)).link
	}
	q := p.panicked
	for q != lower.panicked && q != 0 {
		// sp is 0 until the first frame with deferred calls is found.
		if r := (*panicRecord)(pointer(q)); r.sp >= p.top || r.fp > p.top {
			return ErrPanicking
		} else {
			q = r.link
		}
	}
	if d != lower.deferred || q != lower.panicked {
		return ErrPanicking // its records are gone, their functions have been called
	}
	own := [2]mm.Range{
		{Base: mm.Virt(f.address()), Size: HeaderSize},
		{Base: mm.Virt(p.arenaBase), Size: uint64(p.arenaEnd - p.arenaBase)},
	}
	return stackmap.Check(*word(p.sp), p.sp+8, p.bp, stackmap.Stack{
		Lo: f.stackLo(), Hi: p.top, Own: own[:], Defer: p.deferred, Panic: p.panicked,
	})
}

// partImage makes an image of p, the boundaries below which are base.
func (f *Fiber) partImage(p *part, base int) []byte {
	image := f.appendPart(nil, &p.context, p.arenaBase, p.arenaEnd)
	h := headerAt(image, int(preambleSize))
	h.base = base
	h.kicked.Store(0)
	h.parker.state.Store(awake)
	s := frozen{p.sp, image[preambleSize+HeaderSize:][:p.top-p.sp]}
	s.set(p.top-8, basePC)
	s.set(p.top-16, 0) // the frame pointer that the outermost function has saved
	s.cutChains(&h.context)
	return image
}

// cutChains ends the chains of deferred calls and of panics where they leave s.
func (s *frozen) cutChains(c *context) {
	end := s.lo + uintptr(len(s.bytes))
	for link := &c.deferred; *link != 0; link = &(*deferRecord)(s.at(*link)).link {
		if *link >= end {
			*link = 0
			break
		}
	}
	for link := &c.panicked; *link != 0; {
		if *link >= end {
			*link = 0
			break
		}
		r := (*panicRecord)(s.at(*link))
		if r.fp == end {
			r.lr = basePC // the next frame to look at is the one below
		}
		link = &r.link
	}
}
