package stackmap

import "fmt"

// A Refusal says why a stack cannot leave this machine.
type Refusal struct {
	Func   string  // the function whose frame holds it
	File   string  // where the function is
	Line   int     // the line of the call that it makes
	Offset int     // where in the frame, in bytes from its stack pointer
	Addr   uintptr // the address of the word
	Value  uintptr // the word
	What   string  // what it is
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%s (%s:%d): %s: %#x at %#x, %#x(SP)", r.Func, r.File, r.Line, r.What, r.Value, r.Addr, r.Offset)
}
