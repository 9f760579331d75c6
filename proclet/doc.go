// Package proclet is the programming model of nuos.
//
// A proclet is a unit of state with a heap of its own, at an address that is
// unique in the rack, and the methods that work on that state. A proclet lives
// on one machine at a time, may move to another one while it is being called,
// and shares no memory with anything outside.
//
// # State
//
// The state of a proclet is a struct, its state type. Its zero value is what
// [New] starts with. It may hold numbers, arrays, structs, a [Ref] to another
// proclet and the containers [String], [Slice] and [Map], whose contents lie in
// the proclet's heap. Go's maps, channels, functions, interfaces, strings,
// slices and pointers would point out of the heap and are refused when the
// first proclet of the type is made, with an error that names the field.
//
// # Methods and calls
//
// A method of a state type S that others may call has the form
//
//	func (s *S) Method(t *proclet.Thread, arg A) (R, error)
//
// and is called through a reference with a method expression:
//
//	n, err := proclet.Call(t, ref, (*Counter).Add, "requests")
//
// Argument and result are copied. Several calls may be inside a proclet at
// once; a method that needs to be alone takes a lock (see Mutex).
package proclet
