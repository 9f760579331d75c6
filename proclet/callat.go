package proclet

import (
	"reflect"
	"unsafe"

	"nuos/proclet/internal/fiber"
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

func (signatureAt[T, A, R]) types() *callTypes {
	return &callTypes{
		arg: &plan{typ: reflect.TypeFor[at[A]]()},
		res: &plan{typ: reflect.TypeFor[R]()},
		execute: func(f *fiber.Fiber) {
			within(f, func(t *Thread) {
				method, _, a := begin[func(*T, *Thread, A) (R, error), at[A]](t)
				t.Checkpoint()
				p, err := t.holdObject(a.object, offsetOf[stateKind](kindOf[T]{}), unsafe.Sizeof(*new(T)))
				if err != nil {
					t.handBack(nil, err)
					return
				}
				res, err := method((*T)(p), t, a.arg)
				t.handBack(noescape(unsafe.Pointer(&res)), err)
			})
		},
	}
}

// loading is the signature of [RemotePtr.Load].
type loading[T any] struct{}

func (loading[T]) types() *callTypes {
	return &callTypes{
		arg: &plan{typ: reflect.TypeFor[objectID]()},
		res: &plan{typ: reflect.TypeFor[T]()},
		execute: func(f *fiber.Fiber) {
			within(f, func(t *Thread) {
				_, _, object := begin[*closure, objectID](t)
				t.Checkpoint()
				p, err := t.holdObject(object, offsetOf[stateKind](kindOf[T]{}), unsafe.Sizeof(*new(T)))
				t.handBack(p, err)
			})
		},
	}
}

// storing is the signature of [RemotePtr.Store].
type storing[T any] struct{}

func (s storing[T]) types() *callTypes {
	return &callTypes{
		arg: &plan{typ: reflect.TypeFor[at[T]]()},
		res: &plan{typ: reflect.TypeFor[struct{}]()},
		execute: func(f *fiber.Fiber) {
			within(f, func(t *Thread) {
				_, _, a := begin[*closure, at[T]](t)
				t.Checkpoint()
				err := s.store(t, (*at[T])(noescape(unsafe.Pointer(&a))))
				t.handBack(unsafe.Pointer(&zeroSized), err)
			})
		},
	}
}

func (storing[T]) store(t *Thread, a *at[T]) error {
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
