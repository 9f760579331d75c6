package stackmap

import (
	"unsafe"

	"nuos/mm"
)

// Stack says which stack is checked and what moves together with it.
type Stack struct {
	// Lo and Hi bound the addresses of the stack. The part that is checked
	// goes from the stack pointer to Hi, or to the frame of a function marked
	// TOPFRAME, whichever comes first; Hi must be the end of a frame.
	Lo, Hi uintptr
	// Own is further memory that moves along, such as the arena.
	Own []mm.Range
	// Defer and Panic are the values of g._defer and g._panic, 0 for none.
	// Records that belong to frames which are not checked are passed over.
	Defer, Panic uintptr
}

// Check reports whether the stack may leave this machine: nil, or a *Refusal
// that names the first thing found that cannot. pc and sp are where the
// innermost frame continues (the return address of the call that it made) and
// its stack pointer there; bp is the frame pointer at that moment, 0 at the
// outermost frame.
//
// A thread checks its own stack, or a part of it that is suspended. Nothing
// may write to that part meanwhile, and the runtime must not move it. Any
// number of threads may check at the same time. Check needs about 4 KiB of
// stack itself, more when it comes across a call for the first time or
// refuses.
func Check(pc, sp, bp uintptr, s Stack) error {
	c := check{Stack: s, sp: sp}
	// In check's own frame as long as there are few of them.
	var objects [32]liveObject
	var pointers [32]uintptr
	c.objects, c.pointers = objects[:0], pointers[:0]

	if bp != 0 && (bp < sp || bp >= s.Hi) {
		return refuse(pc, 0, fault{value: bp, what: "a frame pointer that does not point into the checked frames"})
	}
	if c.frames(pc) && c.defers() && c.panics() && c.trace() {
		return nil
	}
	return c.refusal(pc)
}

// A check is one walk over a stack.
type check struct {
	Stack
	sp       uintptr      // where the checked part begins
	objects  []liveObject // variables that may be pointed to, by address
	pointers []uintptr    // live pointers into the checked part, to follow
	fault    fault        // what is refused
}

// liveObject is a variable at an address; object is nil when it has been
// looked at.
type liveObject struct {
	addr   uintptr
	object *object
}

// A fault is what a check refuses. Its what is empty if the value says it.
type fault struct {
	addr, value uintptr
	frame       uintptr // its frame's stack pointer, 0 if it has to be found
	key         uintptr // its frame's site
	what        string
}

// frames looks at all frames. It reports whether it found no fault.
func (c *check) frames(pc uintptr) bool {
	sp, trap := c.sp, uintptr(0)
	for {
		s := lookup(pc | trap)
		if s.flaw != "" || !s.top && sp+s.size > c.Hi {
			what := s.flaw
			if what == "" {
				what = "a frame that reaches beyond the checked part"
			}
			c.fault = fault{addr: sp, value: pc, frame: sp, key: pc | trap, what: what}
			return false
		}
		for _, off := range s.live {
			if !c.pointer(sp + uintptr(off)) {
				c.fault.frame, c.fault.key = sp, s.key
				return false
			}
		}
		for _, off := range s.firsts {
			if !c.first(s, sp, uintptr(off)) {
				return false
			}
		}
		for off := uintptr(0); off < uintptr(s.scalars); off += 8 {
			if !c.first(s, sp, off) {
				return false
			}
		}
		for i := range s.objects {
			o := &s.objects[i]
			c.objects = append(c.objects, liveObject{sp + uintptr(o.off), o})
		}
		if sp += s.size; s.top || sp >= c.Hi {
			return true
		}
		pc, trap = load(sp-8), 0
		if s.traps {
			trap = trapped
		}
	}
}

// first looks at a word of the frame at sp that may be the first word of an
// interface value.
func (c *check) first(s *site, sp, off uintptr) bool {
	if w := load(sp + off); suspicious(w) && local(w) && s.mayRead(off) {
		c.fault = fault{addr: sp + off, value: w, frame: sp, key: s.key}
		return false
	}
	return true
}

// pointer looks at the live pointer at addr.
func (c *check) pointer(addr uintptr) bool {
	if addr >= c.Hi {
		c.fault = fault{addr: addr, what: "an argument that lies beyond the checked part"}
		return false
	}
	p := load(addr)
	if p == 0 || mayTravel(p) {
		return true
	}
	if p >= c.sp && p < c.Hi {
		c.pointers = append(c.pointers, p)
		return true
	}
	if p >= c.Lo && p < c.Hi || c.own(p) {
		return true
	}
	c.fault = fault{addr: addr, value: p}
	return false
}

func (c *check) own(p uintptr) bool {
	for _, r := range c.Own {
		if r.Contains(mm.Virt(p)) {
			return true
		}
	}
	return false
}

// defers looks at the records of deferred calls that are not part of their
// functions' frames' maps.
func (c *check) defers() bool {
	for p := c.Defer; p != 0; {
		d := (*_defer)(at(p))
		if d.sp >= c.Hi {
			break
		}
		if d.sp >= c.sp {
			if p < c.sp || p >= c.Hi {
				c.fault = fault{addr: p, value: p, frame: d.sp, key: d.pc,
					what: "a deferred call that is recorded in the Go heap (by a defer statement in a loop)"}
				return false
			}
			if !c.pointer(p + unsafe.Offsetof(d.fn)) {
				c.fault.frame, c.fault.key = d.sp, d.pc
				return false
			}
		}
		p = d.link
	}
	return true
}

// panics adds the innermost panic of the checked part, which leads to those
// that it interrupted. It is a variable in the frame of runtime.gopanic.
func (c *check) panics() bool {
	p := c.Panic
	for p != 0 && p < c.sp {
		p = (*_panic)(at(p)).link
	}
	if p != 0 && p < c.Hi {
		c.pointers = append(c.pointers, p)
	}
	return true
}

// trace follows pointers into the stack to the variables there, which are
// live only if it gets to them.
func (c *check) trace() bool {
	for len(c.pointers) > 0 && len(c.objects) > 0 {
		p := c.pointers[len(c.pointers)-1]
		c.pointers = c.pointers[:len(c.pointers)-1]
		lo := c.find(p)
		if lo == nil {
			continue
		}
		o := lo.object
		lo.object = nil
		for _, off := range o.pointers {
			if !c.pointer(lo.addr + uintptr(off)) {
				return false
			}
		}
		for _, off := range o.firsts {
			if w := load(lo.addr + uintptr(off)); suspicious(w) && local(w) {
				c.fault = fault{addr: lo.addr + uintptr(off), value: w}
				return false
			}
		}
	}
	return true
}

// find returns the variable that p points into, nil if there is none or it has
// been looked at.
func (c *check) find(p uintptr) *liveObject {
	i, j := 0, len(c.objects)
	for i < j { // all before i begin at or before p
		if m := (i + j) / 2; c.objects[m].addr <= p {
			i = m + 1
		} else {
			j = m
		}
	}
	if i == 0 {
		return nil
	}
	lo := &c.objects[i-1]
	if lo.object == nil || p-lo.addr >= uintptr(lo.object.size) {
		return nil
	}
	return lo
}
