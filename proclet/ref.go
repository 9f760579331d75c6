package proclet

import (
	"fmt"
	"strconv"
	"strings"
)

// ID names a proclet: the address of its heap and the generation of that
// address. An address that is used again gets a higher generation, so a stale
// ID never names a stranger. The zero ID names nothing.
type ID struct {
	Addr uint64 // address of the heap
	Gen  uint64 // generation of that address, from 1
}

// IsZero reports whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// String formats id as "address.generation", the address in hexadecimal.
func (id ID) String() string { return fmt.Sprintf("%x.%d", id.Addr, id.Gen) }

// ParseID is the inverse of [ID.String].
func ParseID(s string) (ID, error) {
	addr, gen, ok := strings.Cut(s, ".")
	a, err1 := strconv.ParseUint(addr, 16, 64)
	g, err2 := strconv.ParseUint(gen, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return ID{}, fmt.Errorf("proclet: %q is not a proclet ID (want ADDRESS.GENERATION)", s)
	}
	return ID{Addr: a, Gen: g}, nil
}

// Ref refers to a proclet with state type S. It is a plain value: it may be
// copied, compared, kept in proclet state and containers, and passed to calls.
// It does not keep the proclet alive; see [Destroy].
type Ref[S any] struct {
	id ID
}

// ID returns the identity of the proclet that r refers to.
func (r Ref[S]) ID() ID { return r.id }

// IsZero reports whether r refers to nothing.
func (r Ref[S]) IsZero() bool { return r.id.IsZero() }
