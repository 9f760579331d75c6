package proclet

import (
	"reflect"
	"unsafe"
)

// CallAt calls a method of the object that p points to, in its proclet, as
// [Call] does with a method of the proclet's state:
//
//	n, err := proclet.CallAt(t, account, (*Account).Deposit, 100)
//
// The object stays there until the method has returned. Other errors than those
// of Call: ErrNoObject.
func CallAt[T, A, R any](t *Thread, p RemotePtr[T], method func(*T, *Thread, A) (R, error), arg A) (res R, err error) {
	fn := closureOf(unsafe.Pointer(&method))
	return invoke[at[A], R](t, p.at.id, signatureAt[T, A, R]{}, fn, at[A]{p.at.object, arg})
}

// at is the argument of a call of an object's method.
type at[A any] struct {
	object objectID
	arg    A
}

// callObject makes a call that any proclet may get, whatever its state type is.
func callObject[A, R any](t *Thread, id ID, sig signature, fn *closure, arg *A, res *R) (err error) {
	*res, err = invoke[A, R](t, id, sig, fn, *arg)
	return err
}

// noMethod is for signatures that do without one.
var noMethod = func() *closure {
	f := func() {}
	return *(**closure)(unsafe.Pointer(&f))
}()

// signatureAt is the signature of a method of an object.
type signatureAt[T, A, R any] struct{}

func (signatureAt[T, A, R]) apply(fn *closure, _ unsafe.Pointer, t *Thread, in unsafe.Pointer) {
	a := (*at[A])(in)
	p, err := t.holdObject(a.object, offsetOf[stateKind](kindOf[T]{}), unsafe.Sizeof(*new(T)))
	if err != nil {
		t.returned(nil, err)
		return
	}
	method := *(*func(*T, *Thread, A) (R, error))(unsafe.Pointer(&fn))
	res, err := method((*T)(p), t, a.arg)
	t.returned(noescape(unsafe.Pointer(&res)), err)
}

func (signatureAt[T, A, R]) types() *callTypes {
	return &callTypes{arg: &plan{typ: reflect.TypeFor[at[A]]()}, res: &plan{typ: reflect.TypeFor[R]()}}
}

// loading is the signature of [RemotePtr.Load].
type loading[T any] struct{}

func (loading[T]) apply(_ *closure, _ unsafe.Pointer, t *Thread, in unsafe.Pointer) {
	p, err := t.holdObject(*(*objectID)(in), offsetOf[stateKind](kindOf[T]{}), unsafe.Sizeof(*new(T)))
	t.returned(p, err)
}

func (loading[T]) types() *callTypes {
	return &callTypes{arg: &plan{typ: reflect.TypeFor[objectID]()}, res: &plan{typ: reflect.TypeFor[T]()}}
}

// storing is the signature of [RemotePtr.Store].
type storing[T any] struct{}

func (s storing[T]) apply(_ *closure, _ unsafe.Pointer, t *Thread, in unsafe.Pointer) {
	var none struct{}
	t.returned(unsafe.Pointer(&none), s.store(t, in))
}

func (storing[T]) store(t *Thread, in unsafe.Pointer) error {
	a := (*at[T])(in)
	p, err := t.holdObject(a.object, offsetOf[stateKind](kindOf[T]{}), unsafe.Sizeof(a.arg))
	if err != nil {
		return err
	}
	if err := claimAll(t, &a.arg); err != nil {
		return err
	}
	if err := ownershipOf[T]().adopt(t, unsafe.Pointer(&a.arg)); err != nil {
		return err
	}
	ownershipOf[T]().release(t, p)
	*(*T)(p) = a.arg
	return nil
}

func (storing[T]) types() *callTypes {
	return &callTypes{arg: &plan{typ: reflect.TypeFor[at[T]]()}, res: &plan{typ: reflect.TypeFor[struct{}]()}}
}
