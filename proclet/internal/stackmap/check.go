package stackmap

import (
	"sync"
	"unsafe"

	"nuos/mm"
)

// Stack says which stack is checked and what moves together with it.
type Stack struct {
	// Lo and Hi bound the addresses of the stack. The part that is checked
	// goes from the stack pointer to Hi, or to the frame of a function marked
	// TOPFRAME, whichever comes first; Hi must be the end of a frame.
	Lo, Hi uintptr
	// Own is further memory that moves along, such as the arena, or what lies
	// above Hi of the arguments of the last frame.
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
// number of threads may check at the same time.
func Check(pc, sp, bp uintptr, s Stack) error {
	if itabTable == nil {
		return errUnusable
	}
	if bp != 0 && (bp < sp || bp >= s.Hi) {
		return refuse(pc, 0, fault{value: bp, what: "a frame pointer that does not point into the checked frames"})
	}
	c := check{Stack: s, sp: sp, scratch: scratches.Get().(*scratch)}
	defer c.done()
	if c.frames(pc) && c.defers() && c.panics() && c.trace() {
		return nil
	}
	return c.refusal(pc)
}

// A check is one walk over a stack.
type check struct {
	Stack
	*scratch
	sp    uintptr // where the checked part begins
	fault fault   // what is refused
}

// scratch is memory that checks use again and again.
type scratch struct {
	objects  []liveObject // variables that may be pointed to, by address
	pointers []uintptr    // live pointers into the checked part, to follow
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (c *check) done() {
	c.objects, c.pointers = c.objects[:0], c.pointers[:0]
	scratches.Put(c.scratch)
}

// liveObject is a variable at an address.
type liveObject struct {
	addr   uintptr
	object *object
	seen   bool
}

// A fault is what a check refuses. Its what is empty if the value says it.
type fault struct {
	addr, value uintptr
	frame       uintptr // its frame's stack pointer
	key         uintptr // its frame's site, 0 if both have to be found
	what        string
}

// frames looks at all frames. It reports whether it found no fault.
func (c *check) frames(pc uintptr) bool {
	sp, key := c.sp, pc
	for {
		s := lookup(key)
		if s.flaw != "" {
			c.fault = fault{addr: sp, value: s.pc(), frame: sp, key: key, what: s.flaw}
			return false
		}
		if !s.top && sp+s.size > c.Hi {
			c.fault = fault{addr: sp, value: s.pc(), frame: sp, key: key, what: "a frame that reaches beyond the checked part"}
			return false
		}
		for _, off := range s.live {
			if p := load(sp + uintptr(off)); p-image.lo >= image.size && p != 0 && !c.pointer(sp+uintptr(off)) {
				c.fault.frame, c.fault.key = sp, key
				return false
			}
		}
		for _, off := range s.firsts {
			if suspicious(load(sp+uintptr(off))) && !c.first(s, sp, uintptr(off)) {
				return false
			}
		}
		for off := uintptr(0); off < uintptr(s.scalars); off += 8 {
			if suspicious(load(sp+off)) && !c.first(s, sp, off) {
				return false
			}
		}
		for i := range s.objects {
			o := &s.objects[i]
			c.objects = append(c.objects, liveObject{addr: sp + uintptr(o.off), object: o})
		}
		if sp += s.size; s.top || sp >= c.Hi {
			return true
		}
		key = load(sp - 8)
		if s.traps {
			key |= trapped
		}
	}
}

// pointer looks at the live pointer at addr.
func (c *check) pointer(addr uintptr) bool {
	p := load(addr)
	switch {
	case addr >= c.Hi && !c.own(addr): // the caller of Check may take the outermost arguments along
		c.fault = fault{addr: addr, value: p, what: "an argument that lies beyond the checked part"}
		return false
	case p == 0 || mayTravel(p):
		return true
	case p >= c.sp && p < c.Hi:
		c.pointers = append(c.pointers, p)
		return true
	case p >= c.Lo && p < c.Hi || c.own(p):
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

// first looks at a suspicious word of the frame at sp that may be the first
// word of an interface value.
func (c *check) first(s *site, sp, off uintptr) bool {
	w := load(sp + off)
	if w >= c.Lo && w < c.Hi || !local(w) || !s.mayRead(off) {
		return true
	}
	c.fault = fault{addr: sp + off, value: w, frame: sp, key: s.key}
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
		if o := c.find(p); o != nil && !o.seen {
			o.seen = true
			if !c.variable(o) {
				return false
			}
		}
	}
	return true
}

// find returns the variable that p points into, nil if there is none.
func (c *check) find(p uintptr) *liveObject {
	i, j := 0, len(c.objects)
	for i < j { // all before i begin at or before p, all from j after it
		if m := int(uint(i+j) / 2); c.objects[m].addr <= p {
			i = m + 1
		} else {
			j = m
		}
	}
	if i == 0 {
		return nil
	}
	if o := &c.objects[i-1]; p-o.addr < uintptr(o.object.size) {
		return o
	}
	return nil
}

// variable looks at a variable that is live. Who reads it cannot be told, so
// all of its words count.
func (c *check) variable(o *liveObject) bool {
	for _, off := range o.object.pointers {
		if !c.pointer(o.addr + uintptr(off)) {
			return false
		}
	}
	for _, off := range o.object.firsts {
		if w := load(o.addr + uintptr(off)); suspicious(w) && local(w) {
			c.fault = fault{addr: o.addr + uintptr(off), value: w}
			return false
		}
	}
	return true
}
