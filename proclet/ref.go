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

// Ref refers to a proclet with state type S, and keeps it alive: a proclet ends
// when nobody holds it any more. A Ref is a value. It may be compared, kept in
// the state, and passed to calls and returned by them, alone or as part of
// something else. Who holds it follows from where it is:
//
//   - A method owns what it gets from New, Lookup, Clone and Upgrade, and the
//     Refs in what its calls return, until it has returned itself. What it returns
//     becomes its caller's.
//   - Arguments are lent: the caller holds them as long as it waits, and an
//     asynchronous call holds them itself until it has ended.
//   - The state owns what it stores. Fields are set with [Ref.Set] and cleared with
//     [Ref.Drop]; containers do both of their own accord, and when the proclet ends,
//     everything that its state holds is given back. A Ref that is merely assigned
//     holds nothing.
//   - Ordinary goroutines own what they get until [Release]. What they never
//     release lives on.
//   - A name holds what it is bound to until [Unbind].
//
// A Ref that is only copied, from the state to a variable for instance, is as good
// as where it was copied from; [Ref.Clone] makes the method an owner. Proclets
// that hold each other in a circle keep each other alive: let one of them have a
// [Weak]. What a machine held that dies is held for ever.
type Ref[S any] struct {
	id ID
}

// ID returns the identity of the proclet that r refers to.
func (r Ref[S]) ID() ID { return r.id }

// IsZero reports whether r refers to nothing.
func (r Ref[S]) IsZero() bool { return r.id.IsZero() }

// Clone makes t's method, or the ordinary goroutine, hold the proclet once more.
// ErrNoProclet if it has ended, and what a call can end with.
func (r Ref[S]) Clone(t *Thread) (Ref[S], error) {
	if err := t.acquire(handle{id: r.id}); err != nil {
		return Ref[S]{}, err
	}
	return r, nil
}

// Set makes r, a part of the state, hold the proclet that v refers to; what r held
// before is given back. If t's method owns v that costs nothing: the state takes
// it over. ErrNoProclet and the other errors of Clone leave r unchanged.
func (r *Ref[S]) Set(t *Thread, v Ref[S]) error {
	h := handle{id: r.id}
	err := setCounted(t, &h, handle{id: v.id}, false)
	r.id = h.id
	return err
}

// Drop gives back what r, a part of the state, holds, and makes it the zero value.
func (r *Ref[S]) Drop(t *Thread) {
	h := handle{id: r.id}
	r.id = ID{}
	dropCounted(t, &h)
}

func (r Ref[S]) counted() handle { return handle{id: r.id} }

// Weak returns a reference that does not keep the proclet alive.
func (r Ref[S]) Weak() Weak[S] { return Weak[S]{r.id} }

// Weak refers to a proclet with state type S without keeping it alive. It is a
// plain value, which may be copied, assigned and compared.
type Weak[S any] struct {
	id ID
}

// ID returns the identity of the proclet that w refers to.
func (w Weak[S]) ID() ID { return w.id }

// IsZero reports whether w refers to nothing.
func (w Weak[S]) IsZero() bool { return w.id.IsZero() }

// Upgrade makes t's method, or the ordinary goroutine, hold the proclet.
// ErrNoProclet if nobody held it any more.
func (w Weak[S]) Upgrade(t *Thread) (Ref[S], error) { return Ref[S]{w.id}.Clone(t) }
