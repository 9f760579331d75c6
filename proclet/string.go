package proclet

// String is a string whose bytes lie in the proclet's heap. The zero value is
// the empty string. A String owns its bytes: keep it where it is a field or an
// element, and do not assign it to a second place of a proclet's state.
//
// As an argument or a result of a call, and given to a container, a String is
// copied, bytes and all.
type String struct {
	s string // bytes in a proclet's heap, or anywhere if made by View
}

// View makes a String of v without copying, for looking things up in a [Map]
// and for handing strings to containers, which copy what they keep. It must not
// be assigned to a field of a proclet's state.
func View(v string) String { return String{v} }

// ViewBytes is [View] of bytes, which must not change as long as the String is
// used.
func ViewBytes(v []byte) String { panic("proclet: being written") }

// Len returns the length in bytes.
func (s String) Len() int { return len(s.s) }

// String returns the contents without copying them: the result is valid until s
// is changed and, at the longest, until the method that called it returns.
func (s String) String() string { return s.s }

// Set replaces the contents by a copy of v. ErrHeapFull leaves s unchanged.
func (s *String) Set(t *Thread, v string) error { panic("proclet: being written") }

// Append appends a copy of v. ErrHeapFull leaves s unchanged.
func (s *String) Append(t *Thread, v string) error { panic("proclet: being written") }

// Free empties s and gives its memory back.
func (s *String) Free(t *Thread) { panic("proclet: being written") }
