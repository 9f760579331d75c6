package proclet

import (
	"context"
	"reflect"
	"sync/atomic"
	"time"
	"unsafe"
)

// Promise is a place in a proclet's state for a value that comes later, once,
// and threads that wait for it. The zero value is empty. T may be what an element of a
// container may be. A Promise owns its value as a container does, and must not be
// copied after its first use.
type Promise[T any] struct {
	promiseHead
	value T
}

// promiseHead is the part of a Promise that does not depend on its type.
type promiseHead struct {
	kept    atomic.Bool // value or failure is there; changes with the latch held
	latch   latch       // guards the queue
	queue   waitQueue
	failure String // the encoded error, if it was given one
}

// Set gives p its value, a copy of v, and those who wait go on. It is ErrKept if p
// has a value or an error already; on ErrHeapFull p stays empty.
func (p *Promise[T]) Set(t *Thread, v T) error {
	if err := claimAll(t, &v); err != nil {
		return err
	}
	o := ownershipOf[T]()
	if err := o.adopt(t, unsafe.Pointer(&v)); err != nil {
		return err
	}
	p.latch.lock()
	kept := p.kept.Load()
	if !kept {
		p.value = v
		p.keep()
	}
	p.latch.unlock()
	if kept {
		ownershipOf[T]().undo(t, unsafe.Pointer(&v))
		return ErrKept
	}
	return nil
}

// Fail makes Wait return err, as a call returns the error of a method: see
// [MethodError]. err must not be nil. It is ErrKept if p has a value or an error
// already; on ErrHeapFull p stays empty.
func (p *Promise[T]) Fail(t *Thread, err error) error { return p.fail(t, err) }

func (p *promiseHead) fail(t *Thread, err error) error {
	if err == nil {
		panic("proclet: a Promise fails with no error")
	}
	var failure String
	if full := failure.Set(t, string(appendFailure(nil, export(err)))); full != nil {
		return full
	}
	p.latch.lock()
	kept := p.kept.Load()
	if !kept {
		p.failure = failure
		p.keep()
	}
	p.latch.unlock()
	if kept {
		failure.Free(t)
		return ErrKept
	}
	return nil
}

// keep lets those who wait go on. Called with the latch held.
func (p *promiseHead) keep() {
	p.kept.Store(true)
	p.queue.releaseAll()
}

// Wait waits for the value and returns it, or the error given to Fail. What the
// value refers to is p's, and valid as long as p is. Wait panics with ErrHeapFull if it
// has to wait and the heap has no room for that.
func (p *Promise[T]) Wait(t *Thread) (T, error) {
	if !p.kept.Load() {
		p.wait(t, never)
	}
	return p.get()
}

// WaitFor is Wait, but gives up after d with context.DeadlineExceeded.
func (p *Promise[T]) WaitFor(t *Thread, d time.Duration) (v T, err error) {
	if !p.kept.Load() && !p.wait(t, t.after(d)) {
		return v, context.DeadlineExceeded
	}
	return p.get()
}

// Kept reports whether Wait would return at once.
func (p *Promise[T]) Kept() bool { return p.kept.Load() }

func (p *promiseHead) wait(t *Thread, deadline clock) bool {
	w := t.await()
	p.latch.lock()
	waits := !p.kept.Load()
	if waits {
		p.queue.push(w)
	}
	p.latch.unlock()
	if waits && !t.park(w, deadline) {
		p.latch.lock()
		if w.queued {
			p.queue.remove(w)
		}
		p.latch.unlock()
	}
	kept := p.kept.Load()
	t.awaited(w, kept)
	return kept
}

func (p *Promise[T]) get() (v T, err error) {
	if p.failure.Len() == 0 {
		return p.value, nil
	}
	return v, (&decoder{[]byte(p.failure.s)}).failure()
}

// promiseOwner is for Promises in containers. The value begins value bytes from
// the start of the Promise.
type promiseOwner struct {
	elem  *element
	value uintptr
}

func (*Promise[T]) container() containerType {
	elem := reflect.TypeFor[T]()
	owner := promiseOwner{elementOf(elem), unsafe.Offsetof(Promise[T]{}.value)}
	return containerType{self: reflect.TypeFor[Promise[T]](), elem: elem, owner: owner}
}

func (promiseOwner) adopt(t *Thread, p unsafe.Pointer) error {
	if h := (*promiseHead)(p); h.kept.Load() || !h.queue.empty() {
		return errNotEmpty
	}
	return nil
}

func (o promiseOwner) release(t *Thread, p unsafe.Pointer) {
	o.elem.ownership().release(t, unsafe.Add(p, o.value))
	(*promiseHead)(p).failure.Free(t)
}
