package proclet

import (
	"errors"
	"fmt"
	"unsafe"
)

// ManyError is what CallMany returns when calls have failed.
type ManyError struct {
	Errs []error // of each call; nil for those that succeeded
}

func (e *ManyError) Error() string {
	n := 0
	var first error
	for _, err := range e.Errs {
		if err != nil {
			if n++; first == nil {
				first = err
			}
		}
	}
	return fmt.Sprintf("proclet: %d of %d calls failed, the first one with: %v", n, len(e.Errs), first)
}

// Unwrap makes errors.Is and errors.As find the errors of all calls.
func (e *ManyError) Unwrap() (all []error) {
	for _, err := range e.Errs {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

var errArguments = errors.New("proclet: CallMany wants one argument for all proclets, or one for each")

// CallMany calls a method of several proclets at once and waits for all of them. The
// results are in the order of refs:
//
//	counts, err := proclet.CallMany(t, shards, (*Shard).Count, "requests")
//
// args are one argument for all or one for each. Each call is one of its own, as
// with [Call]. If some fail, their results are zero, and the error is a *ManyError.
//
// CallMany is a safe point: a method that waits in it moves like one in Call, if refs
// and args do not keep it, because they lie in Go's heap.
func CallMany[S, A, R any](t *Thread, refs []Ref[S], method func(*S, *Thread, A) (R, error), args ...A) ([]R, error) {
	if len(args) != 1 && len(args) != len(refs) {
		return nil, fmt.Errorf("%w: %d for %d", errArguments, len(args), len(refs))
	}
	if t.heap == nil {
		return callManyOutside(t, refs, method, args)
	}
	var zero A
	results, err := t.callMany(len(refs), func(i int) (ID, unsafe.Pointer) {
		return refs[i].id, unsafe.Add(noescape(unsafe.Pointer(unsafe.SliceData(args))), uintptr(i%len(args))*unsafe.Sizeof(zero))
	}, signatureOf[S, A, R]{}, closureOf(unsafe.Pointer(&method)))
	if results == nil {
		return nil, err
	}
	return unsafe.Slice((*R)(results), len(refs)), err
}

func callManyOutside[S, A, R any](t *Thread, refs []Ref[S], method func(*S, *Thread, A) (R, error), args []A) ([]R, error) {
	futures := make([]*Future[R], len(refs))
	for i, ref := range refs {
		futures[i] = Go(t, ref, method, args[i%len(args)])
	}
	results, errs := make([]R, len(refs)), make([]error, len(refs))
	for i, f := range futures {
		results[i], errs[i] = f.Wait(t)
	}
	return results, manyError(errs)
}

func manyError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return &ManyError{errs}
		}
	}
	return nil
}

// callMany is CallMany for a method: it sends n calls, waits for all answers, and
// only then looks at them, so that nothing of Go's heap is kept while it waits.
func (t *Thread) callMany(n int, call func(i int) (ID, unsafe.Pointer), sig signature, fn *closure) (results unsafe.Pointer, err error) {
	ct, err := typesOf(sig)
	if err != nil {
		return nil, err
	}
	a, err := t.results(uintptr(n)*room(unsafe.Sizeof(uintptr(0))) + uintptr(n)*ct.res.size + 8)
	if err != nil {
		return nil, err
	}
	expected := unsafe.Slice((**expected)(a.bytes(uintptr(n)*unsafe.Sizeof(uintptr(0)))), n)
	results = a.alloc(ct.res, n)
	for i := range n {
		id, arg := call(i)
		expected[i] = t.sendOrFail(id, sig, fn, arg)
	}
	for _, e := range expected {
		if e != nil {
			t.awaitAnswer(e)
		}
	}
	errs := make([]error, n)
	r := t.runtime().find(t.id)
	ct, err = typesOf(sig)
	if err != nil {
		return results, err
	}
	for i, e := range expected {
		if e == nil {
			errs[i] = ErrHeapFull // what nobody had room to note
			continue
		}
		errs[i] = t.accepted(r, e, ct, unsafe.Add(results, uintptr(i)*ct.res.size))
	}
	return results, manyError(errs)
}

// sendOrFail sends a call. If that fails, the error is like an answer. It returns
// nil if there is no room even for that.
func (t *Thread) sendOrFail(id ID, sig signature, fn *closure, arg unsafe.Pointer) *expected {
	ct, err := typesOf(sig)
	if err == nil {
		var e *expected
		if e, err = t.send(id, ct, fn, arg); err == nil {
			return e
		}
	}
	r := t.runtime().find(t.id)
	e, full := r.expect(t, t.runtime().slots.number())
	if full == nil {
		r.fulfil(r.rt.self, e.seq, failed(err))
	}
	return e
}

// number returns a sequence number that nobody else gets.
func (s *slots) number() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	return s.seq
}
