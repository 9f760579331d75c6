// Package stackmap checks, with the stack maps that the compiler makes for the
// garbage collector, that a stack holds nothing that has no meaning on
// another machine.
//
// In reading order:
//
//   - layout.go, tables.go: what is known of the runtime, and how to read its
//     tables
//   - site.go, sites.go: what there is to know about a frame, worked out once
//     for each call in the program
//   - check.go, address.go, errors.go: Check, the walk over a stack; where live
//     pointers may lead; what is said of one that may not leave
//   - itab.go, reads_amd64.go: interface values that only this process has
//   - words.go: CheckWords, a guess at memory without maps
//   - selftest.go, probes.go, frame.go: SelfTest
//
// # Why the result is right
//
// The walk follows the rules by which the collector finds what a stack keeps
// alive (runtime/traceback.go, stkframe.go, mgcmark.go): live words of each
// frame's local variables and arguments where it continues, variables whose
// address is taken as far as live pointers lead to them, records of deferred
// calls and panics. If one of these tables missed a pointer, Go's own
// collector would free memory in use. A live word may be nil, or point into
// the program, to a heap of a proclet, into the stack itself or to other
// memory that moves with it; all else refuses. So does a frame that cannot be
// understood: nothing is guessed.
//
// The first word of an interface value, its itab or type, is in none of these
// tables, because what it points to is never freed. Nearly all itabs and types
// are part of the program. Two kinds are not: the itab that the runtime makes
// when a value is converted, by an assertion such as x.(I), to an interface
// that the compiler did not see it converted to; and types that package
// reflect makes. Both are recognized exactly: the itab is in the runtime's
// table of them, the type has a name with a negative number. Any word that
// could be the first of an interface value is compared with them:
//
//   - one that lies, in a variable in memory, below a live pointer. The
//     compiler calls such a variable live as a whole. Where the variable is in
//     the tables, because its address is taken, they say which of its words
//     these are; elsewhere all below a live pointer count;
//   - any word among the variables without pointers: an interface value that
//     the compiler keeps in registers it splits in two variables, and spills
//     the first wherever there is room. It may be live without the second.
//
// A word that is recognized is in use or left over from an earlier call. In
// the frame's code, from where it continues, one sees whether a way leads to
// an instruction that reads it before it is overwritten. If it cannot be
// excluded the stack is refused, and the error names the interface and the
// type. The remedy is to tell the compiler of the conversion, anywhere in the
// program: var _ I = T{}.
//
// # Caveats
//
//   - What is live is not what is in scope: a string of which only the length
//     is used later is no reason to refuse.
//   - A number is not a pointer: uintptr variables that hold addresses, file
//     descriptors and hashes with a seed of this process are not noticed.
//     Neither are pointers in heaps of proclets (CheckWords is for those) or
//     what global variables point to.
//   - A word left over by an earlier call can refuse a stack that could
//     leave, if it is the address of an itab or type made at run time and the
//     code cannot be followed (it has an instruction unknown to the decoder),
//     or lies below a live pointer and the code copies or indexes variables in
//     memory that are in no table. So can a number that happens to be such an
//     address.
//   - Functions made by package reflect (MakeFunc, method values) refuse.
//   - One Go release is known, see SelfTest.
package stackmap
