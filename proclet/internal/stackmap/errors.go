package stackmap

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
)

// errUnusable is what Check returns in a program that should not have got
// there.
var errUnusable = errors.New("stackmap: SelfTest has failed")

// A Refusal says why a stack cannot leave this machine: one word in it that
// means something here only.
type Refusal struct {
	Func   string  // the function in whose frame it is
	File   string  // the source file, with its path
	Line   int     // the line of the call that the function is in
	Offset int     // the word's place in the frame, in bytes from the stack pointer
	Addr   uintptr // the word's address
	Value  uintptr // the word
	What   string  // what the word is
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%s (%s:%d) cannot leave this machine: it holds %s (%#x at %#x(SP))",
		r.Func, filepath.Base(r.File), r.Line, r.What, r.Value, r.Offset)
}

// refusal makes the error for c's fault. pc is where the check began.
func (c *check) refusal(pc uintptr) error {
	sp, key := c.fault.frame, c.fault.key
	if key == 0 {
		sp, key = c.owner(pc, c.fault.addr)
	}
	return refuse(key, sp, c.fault)
}

// owner finds the frame that has the variable at addr.
func (c *check) owner(pc, addr uintptr) (sp, key uintptr) {
	sp, key = c.sp, pc
	for {
		s := lookup(key)
		for _, o := range s.objects {
			if at := sp + uintptr(o.off); addr >= at && addr-at < uintptr(o.size) {
				return sp, key
			}
		}
		if s.top || s.flaw != "" || sp+s.size >= c.Hi {
			return sp, key
		}
		sp += s.size
		key = load(sp - 8)
		if s.traps {
			key |= trapped
		}
	}
}

// refuse makes the error for a fault in the frame at sp that continues at key.
func refuse(key, sp uintptr, f fault) error {
	pc := key &^ trapped
	if key&trapped != 0 {
		pc++ // CallersFrames expects return addresses
	}
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	r := &Refusal{
		Func: frame.Function, File: frame.File, Line: frame.Line,
		Offset: int(f.addr - sp), Addr: f.addr, Value: f.value, What: f.what,
	}
	if r.What == "" {
		r.What = describe(f.value)
	}
	return r
}
