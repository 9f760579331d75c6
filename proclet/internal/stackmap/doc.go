// Package stackmap checks, with the stack maps that the compiler made for the
// garbage collector, that a stack holds nothing that has no meaning on another
// machine.
package stackmap
