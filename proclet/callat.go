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
	fn := *(**closure)(unsafe.Pointer(&method))
	err = callObject(t, p.at.id, signatureAt[T, A, R]{}, fn, &at[A]{p.at.object, arg}, &res)
	return res, err
}

// at is the argument of a call of an object's method.
type at[A any] struct {
	object objectID
	arg    A
}

// callObject makes a call that any proclet may get, whatever its state type is.
func callObject[A, R any](t *Thread, id ID, sig signature, fn *closure, arg *A, res *R) error {
	ct, err := typesOf(sig)
	if err != nil {
		return err
	}
	return t.call(id, ct, fn, unsafe.Pointer(arg), unsafe.Pointer(res))
}

// noMethod is for signatures that do without one.
var noMethod = func() *closure {
	f := func() {}
	return *(**closure)(unsafe.Pointer(&f))
}()

// signatureAt is the signature of a method of an object.
type signatureAt[T, A, R any] struct{}

func (signatureAt[T, A, R]) apply(fn *closure, _ unsafe.Pointer, t *Thread, in, out unsafe.Pointer) error {
	a := (*at[A])(in)
	p, err := t.holdObject(a.object, offsetOf[stateKind](kindOf[T]{}), unsafe.Sizeof(*new(T)))
	if err != nil {
		return err
	}
	method := *(*func(*T, *Thread, A) (R, error))(unsafe.Pointer(&fn))
	res, err := method((*T)(p), t, a.arg)
	if err == nil {
		*(*R)(out) = res
	}
	return err
}

func (signatureAt[T, A, R]) types() *callTypes {
	return &callTypes{arg: &plan{typ: reflect.TypeFor[at[A]]()}, res: &plan{typ: reflect.TypeFor[R]()}}
}

// loading is the signature of [RemotePtr.Load].
type loading[T any] struct{}

func (loading[T]) apply(_ *closure, _ unsafe.Pointer, t *Thread, in, out unsafe.Pointer) error {
	p, err := t.holdObject(*(*objectID)(in), offsetOf[stateKind](kindOf[T]{}), unsafe.Sizeof(*new(T)))
	if err != nil {
		return err
	}
	*(*T)(out) = *(*T)(p)
	return nil
}

func (loading[T]) types() *callTypes {
	return &callTypes{arg: &plan{typ: reflect.TypeFor[objectID]()}, res: &plan{typ: reflect.TypeFor[T]()}}
}

// storing is the signature of [RemotePtr.Store].
type storing[T any] struct{}

func (storing[T]) apply(_ *closure, _ unsafe.Pointer, t *Thread, in, _ unsafe.Pointer) error {
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
