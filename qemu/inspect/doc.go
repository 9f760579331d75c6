// Package inspect shows what is inside a machine, from outside: processors,
// threads, goroutines, counters and the trace, of a machine that runs or from the
// core of one that crashed.
//
// It needs the image's symbol file (boot/image.SymbolsSuffix), which says where
// variables lie and how types are laid out, and memory by virtual address:
// package monitor's Memory, or a Core. Names of events, system calls and states
// are taken from the image as well. So what is shown is right for the image that
// runs, whichever release of Go or of this module it was built with, as long as the
// variables exist that this package looks for; when one does not, the error says
// which.
//
// # Caveats
//
// Stacks are followed by frame pointers. The caller of a function without a frame,
// in which the processor happened to be interrupted, is left out.
//
// A machine that is not stopped changes while it is read: counters are right, each
// by itself; lists and stacks may be torn.
package inspect
