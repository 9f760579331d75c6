package proclet

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// RemotePtr points to an object inside a proclet, from anywhere. It is a plain
// value that holds nothing: not the object, which somebody may free, and not the
// proclet. A pointer to what is no more gives ErrNoObject or ErrNoProclet.
//
// [RemoteUnique] and [RemoteShared] hold their object and its proclet.
type RemotePtr[T any] struct{ at handle }

// RemoteUnique holds an object inside a proclet that it alone owns. It is passed
// on by returning it and by storing it with Set; as an argument it is lent.
// When its holder gives it back, see [Release], the object is freed. It holds the
// proclet as a [Ref] does.
type RemoteUnique[T any] struct{ at handle }

// RemoteShared holds an object inside a proclet together with others: the object
// is freed when the last of them has given it back. It holds the proclet as a
// [Ref] does, and is held, passed and stored like one.
type RemoteShared[T any] struct{ at handle }

// NewRemote makes an object with a copy of v in the proclet that t's method
// belongs to. It lives until somebody calls [RemotePtr.Free], or the proclet ends. T
// may be what a field of a state type may be.
func NewRemote[T any](t *Thread, v T) (RemotePtr[T], error) {
	o, err := newObject(t, v, true)
	if err != nil {
		return RemotePtr[T]{}, err
	}
	return RemotePtr[T]{handle{t.id, o}}, nil
}

// NewRemoteUnique is [NewRemote] for an object with one owner, t's method.
func NewRemoteUnique[T any](t *Thread, v T) (RemoteUnique[T], error) {
	h, err := newHeld(t, v)
	return RemoteUnique[T]{h}, err
}

// NewRemoteShared is [NewRemote] for an object that its holders share. The first
// one is t's method.
func NewRemoteShared[T any](t *Thread, v T) (RemoteShared[T], error) {
	h, err := newHeld(t, v)
	return RemoteShared[T]{h}, err
}

func newHeld[T any](t *Thread, v T) (handle, error) {
	o, err := newObject(t, v, false)
	return heldBy(t, o, err)
}

// RemoteUniqueOf makes the object that p owns, which is left empty, one that
// t's method holds with a RemoteUnique. ErrNoObject if p is empty.
func RemoteUniqueOf[T any](t *Thread, p *Ptr[T]) (RemoteUnique[T], error) {
	o, err := enterPtr(t, p)
	h, err := heldBy(t, o, err)
	return RemoteUnique[T]{h}, err
}

// RemoteSharedOf is [RemoteUniqueOf] for a RemoteShared.
func RemoteSharedOf[T any](t *Thread, p *Ptr[T]) (RemoteShared[T], error) {
	o, err := enterPtr(t, p)
	h, err := heldBy(t, o, err)
	return RemoteShared[T]{h}, err
}

func enterPtr[T any](t *Thread, p *Ptr[T]) (o objectID, err error) {
	t.heapOf()
	if p.p == nil {
		return o, fmt.Errorf("%w: an empty Ptr", ErrNoObject)
	}
	o, err = t.runtime().find(t.id).addObject(unsafe.Pointer(p.p), offsetOf[stateKind](kindOf[T]{}), false)
	if err == nil {
		p.p = nil
	}
	return o, err
}

// heldBy makes t's method the holder of an object that has been made for it.
func heldBy(t *Thread, o objectID, err error) (handle, error) {
	if err != nil {
		return handle{}, err
	}
	h := handle{t.id, o}
	if err := t.own(h); err != nil {
		return handle{}, err
	}
	return h, nil
}

// RemoteTo returns a pointer to a part of the state of the proclet that t's
// method belongs to: the state itself, a field, an element of an array. Such a
// part is there as long as the proclet is. ErrNoObject if p points elsewhere.
func RemoteTo[T any](t *Thread, p *T) (RemotePtr[T], error) {
	t.heapOf()
	r := t.runtime().find(t.id)
	at := uintptr(unsafe.Pointer(p)) - uintptr(r.state)
	if at > r.typ.size || at+unsafe.Sizeof(*p) > r.typ.size {
		return RemotePtr[T]{}, fmt.Errorf("%w: not a part of the state", ErrNoObject)
	}
	return RemotePtr[T]{handle{t.id, objectID{place: uint64(at) + 1}}}, nil
}

// ID returns the identity of the proclet that the object is in.
func (p RemotePtr[T]) ID() ID { return p.at.id }

// IsZero reports whether p points to nothing.
func (p RemotePtr[T]) IsZero() bool { return p.at == handle{} }

// Load returns a copy of the object. Other calls may be changing it meanwhile:
// what is to be alone takes a lock, in a method that is called with [CallAt].
// ErrType if T cannot be a result.
func (p RemotePtr[T]) Load(t *Thread) (v T, err error) {
	err = callObject(t, p.at.id, loading[T]{}, noMethod, &p.at.object, &v)
	return v, err
}

// Store replaces the object by a copy of v; what the old one owned is freed. See
// [RemotePtr.Load].
func (p RemotePtr[T]) Store(t *Thread, v T) error {
	var none struct{}
	return callObject(t, p.at.id, storing[T]{}, noMethod, &at[T]{p.at.object, v}, &none)
}

// Free frees an object that [NewRemote] has made, once the calls inside it have
// ended. ErrNotOwned if RemoteUniques or RemoteShareds hold it.
func (p RemotePtr[T]) Free(t *Thread) error {
	if p.at.object.serial == 0 {
		return fmt.Errorf("%w: a part of the state", ErrNotOwned)
	}
	return t.changeCount(p.at, countFree)
}

// ID returns the identity of the proclet that the object is in.
func (u RemoteUnique[T]) ID() ID { return u.at.id }

// IsZero reports whether u holds nothing.
func (u RemoteUnique[T]) IsZero() bool { return u.at == handle{} }

// Ptr returns a pointer to the object, which does not hold it.
func (u RemoteUnique[T]) Ptr() RemotePtr[T] { return RemotePtr[T]{u.at} }

// Set makes u, a part of the state, the holder of v's object, which t's method
// must own: otherwise the error is ErrNotOwned. What u held is given back.
func (u *RemoteUnique[T]) Set(t *Thread, v RemoteUnique[T]) error {
	return setCounted(t, &u.at, v.at, true)
}

// Drop gives back what u, a part of the state, holds, and makes it the zero value.
func (u *RemoteUnique[T]) Drop(t *Thread) { dropCounted(t, &u.at) }

// ID returns the identity of the proclet that the object is in.
func (s RemoteShared[T]) ID() ID { return s.at.id }

// IsZero reports whether s holds nothing.
func (s RemoteShared[T]) IsZero() bool { return s.at == handle{} }

// Ptr returns a pointer to the object, which does not hold it.
func (s RemoteShared[T]) Ptr() RemotePtr[T] { return RemotePtr[T]{s.at} }

// Clone makes t's method hold the object once more. See [Ref.Clone].
func (s RemoteShared[T]) Clone(t *Thread) (RemoteShared[T], error) {
	if err := t.acquire(s.at); err != nil {
		return RemoteShared[T]{}, err
	}
	return s, nil
}

// Set makes s, a part of the state, a holder of v's object. What it held before is
// given back. See [Ref.Set].
func (s *RemoteShared[T]) Set(t *Thread, v RemoteShared[T]) error {
	return setCounted(t, &s.at, v.at, false)
}

// Drop gives back what s, a part of the state, holds, and makes it the zero value.
func (s *RemoteShared[T]) Drop(t *Thread) { dropCounted(t, &s.at) }

func (u RemoteUnique[T]) counted() handle { return u.at }
func (s RemoteShared[T]) counted() handle { return s.at }

var objectsOK sync.Map // *typeHeader of types that were checked

// checkObject reports whether values of t may lie in a proclet's heap. The error
// is that of checkState.
func checkObject(t reflect.Type) error {
	if _, ok := objectsOK.Load(headerOf(t)); ok {
		return nil
	}
	c := stateChecker{seen: map[reflect.Type]bool{}}
	if err := c.check(t, t.String()); err != nil {
		return err
	}
	objectsOK.Store(headerOf(t), true)
	return nil
}
