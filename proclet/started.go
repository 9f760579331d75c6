package proclet

import (
	"errors"
	"fmt"
	"log"
	"reflect"
	"strings"
	"unsafe"

	"nuos/mm"
)

// A thread that a method starts is the proclet's: it goes on when the method has
// returned, moves with the proclet, and ends with it: when no call is inside any more,
// since calls may need what their threads do.

// Handle refers to a thread that was started in a proclet. It may be kept in the
// proclet's state. The zero value refers to a thread that has ended.
type Handle struct {
	id uint64
}

// startedThreads is what is known of the threads that were started in a proclet.
// It is guarded by resident.mu.
type startedThreads struct {
	last    uint64 // id of the newest
	running *startedThread
	n       uint64                  // how many run
	failed  [maxFailed]failedThread // a ring
	next    int                     // in it
}

// startedThread is one that has not ended.
type startedThread struct {
	next    *startedThread
	id      uint64
	joining waitQueue
}

// failedThread is one that has ended with an error: what it returns to those who
// join late.
type failedThread struct {
	id      uint64
	failure unsafe.Pointer // encoded, in the heap
	len     uint64
}

// maxFailed is how many errors of threads are remembered; see Handle.Join.
const maxFailed = 16

// starter is what a thread executes that was started, behind an interface whose
// implementations have no size; see signature.
type starter interface {
	run(fn *closure, state unsafe.Pointer, t *Thread, in unsafe.Pointer)
	argument() (*plan, error)
}

type plainStart struct{}

func (plainStart) run(fn *closure, _ unsafe.Pointer, t *Thread, _ unsafe.Pointer) {
	(*(*func(*Thread))(unsafe.Pointer(&fn)))(t)
}

func (plainStart) argument() (*plan, error) { return nil, nil }

type startOf[S, A any] struct{}

func (startOf[S, A]) run(fn *closure, state unsafe.Pointer, t *Thread, in unsafe.Pointer) {
	(*(*func(*S, *Thread, A))(unsafe.Pointer(&fn)))((*S)(state), t, *(*A)(in))
}

func (startOf[S, A]) argument() (*plan, error) { return planFor[A]() }

// Go starts a thread in the proclet of t's method, which executes fn, a function
// that captures nothing; [State] is how it gets at the state. What fn does not
// recover from ends the thread and is logged.
//
// Errors: ErrMethod if fn captures variables, ErrTooManyThreads, ErrHeapFull, and
// rack.ErrNoAddresses. It panics outside a method.
func (t *Thread) Go(fn func(*Thread)) (Handle, error) {
	return t.startThread(plainStart{}, *(**closure)(unsafe.Pointer(&fn)), nil)
}

// Start starts a thread in the proclet of t's method, which executes a method of
// the proclet's state with a copy of arg:
//
//	h, err := proclet.Start(t, (*Counter).Watch, "requests")
//
// Errors are those of [Thread.Go], and ErrType if arg cannot be an argument, or S
// is not the type of the state.
func Start[S, A any](t *Thread, method func(*S, *Thread, A), arg A) (Handle, error) {
	r := t.runtime().find(t.id)
	if r == nil || !is[S](r) {
		return Handle{}, fmt.Errorf("%w: %v is not the state's", ErrType, reflect.TypeFor[S]())
	}
	p, err := planFor[A]()
	if err != nil {
		return Handle{}, err
	}
	wire, err := p.encode(nil, unsafe.Pointer(&arg))
	if err != nil {
		return Handle{}, err
	}
	return t.startThread(startOf[S, A]{}, *(**closure)(unsafe.Pointer(&method)), wire)
}

// State returns the state of the proclet that t runs in. It panics if that is no S.
func State[S any](t *Thread) *S {
	t.heapOf()
	if r := t.runtime().find(t.id); !is[S](r) {
		panic(fmt.Sprintf("proclet: the state is %v, not %v", r.kind.reflectType(), reflect.TypeFor[S]()))
	}
	return (*S)((*head)(t.heap.Root()).state)
}

func (t *Thread) startThread(what starter, fn *closure, wire []byte) (h Handle, err error) {
	t.heapOf()
	if _, err := identify(fn); err != nil {
		return h, err
	}
	r := t.runtime().find(t.id)
	r.gate.count(1) // t is inside
	s, err := r.addStarted()
	if err != nil {
		r.gate.uncountFrozen(1)
		return h, err
	}
	r.gate.changed() // what was counted as a call is a thread
	n, err := r.newThread(purpose{kind: rootStarted, started: s}, nil, nil)
	if err == nil {
		n.order.start = what
		n.order.to(fn)
		if err = n.order.with(n, wire); err != nil {
			n.drop()
		}
	}
	if err != nil {
		r.startedEnds(s, nil)
		r.gate.uncountFrozen(1)
		return h, err
	}
	n.start(r)
	return Handle{s}, nil
}

func (r *resident) addStarted() (uint64, error) {
	p, err := r.heap.Alloc(uint64(unsafe.Sizeof(startedThread{})))
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &r.head.started
	l.last++
	s := (*startedThread)(p)
	*s = startedThread{next: l.running, id: l.last}
	l.running = s
	l.n++
	return s.id, nil
}

// runStarted executes what t was started for.
func (t *Thread) runStarted(in unsafe.Pointer) {
	ended := false
	defer func() { t.end(ended, recover()) }()
	t.Checkpoint()
	start, fn := t.order.start, t.order.fn
	start.run(fn, (*head)(t.heap.Root()).state, t, in)
	ended = true
	if err := t.checked(nil); err != nil {
		t.setError(err)
	}
}

// startedEnds takes note that a thread has ended.
func (r *resident) startedEnds(id uint64, err error) {
	if errors.Is(err, ErrExited) {
		err = nil
	}
	var failure []byte
	if err != nil {
		log.Printf("proclet: a thread of %v has ended: %v", r.id, describe(err))
		failure = appendFailure(nil, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &r.head.started
	if err != nil {
		l.remember(r.heap, id, failure)
	}
	p := l.find(id)
	s := *p
	*p = s.next
	l.n--
	for !s.joining.empty() {
		w := s.joining.first
		s.joining.remove(w)
		r.wake(w)
	}
	r.heap.Free(unsafe.Pointer(s))
}

// describe says what a panic was, with its stack.
func describe(err error) string {
	var p *PanicError
	if errors.As(err, &p) {
		return p.Error() + "\n" + strings.TrimRight(p.Stack, "\n")
	}
	return err.Error()
}

// find returns the link that points to a thread that runs, or to nil.
func (l *startedThreads) find(id uint64) **startedThread {
	p := &l.running
	for *p != nil && (*p).id != id {
		p = &(*p).next
	}
	return p
}

// remember keeps the error of a thread, and forgets an older one. If there is no
// room for it the thread counts as one without an error.
func (l *startedThreads) remember(h *mm.Heap, id uint64, failure []byte) {
	p, err := h.AllocReservedBytes(uint64(len(failure)))
	if err != nil {
		return
	}
	copy(unsafe.Slice((*byte)(p), len(failure)), failure)
	f := &l.failed[l.next]
	l.next = (l.next + 1) % maxFailed
	if f.failure != nil {
		h.Free(f.failure)
	}
	*f = failedThread{id, p, uint64(len(failure))}
}

// ID returns a number that no other thread of the proclet has or had.
func (h Handle) ID() uint64 { return h.id }

// Done reports whether the thread has ended. t runs in the same proclet.
func (h Handle) Done(t *Thread) bool {
	t.heapOf()
	r := t.runtime().find(t.id)
	r.mu.Lock()
	defer r.mu.Unlock()
	return *r.head.started.find(h.id) == nil
}

// Join waits until the thread has ended, and returns a *PanicError if that panicked.
// A proclet remembers the errors of the last 16 of its threads that have failed, as far
// as its heap has room for them; a thread whose error is forgotten counts as one that
// returned. Who must know for certain has the thread report what it comes to, in the
// state or with a [Promise].
//
// t runs in the same proclet. Join panics with ErrHeapFull if it has to wait and the
// heap has no room for that.
func (h Handle) Join(t *Thread) error {
	if !h.Done(t) {
		w := t.newWaiter()
		joined := !t.joins(h, w) || t.block(w, never) || !t.joinsNoMore(h, w)
		t.freeWaiter(w, joined)
	}
	return t.failureOf(h)
}

// joins has w woken at the end of a thread, unless that was before.
func (t *Thread) joins(h Handle, w *waiter) bool {
	r := t.runtime().find(t.id)
	r.mu.Lock()
	defer r.mu.Unlock()
	s := *r.head.started.find(h.id)
	if s != nil {
		s.joining.push(w)
	}
	return s != nil
}

// joinsNoMore undoes joins, unless the thread has ended meanwhile.
func (t *Thread) joinsNoMore(h Handle, w *waiter) bool {
	r := t.runtime().find(t.id)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !w.queued {
		return false
	}
	(*r.head.started.find(h.id)).joining.remove(w)
	return true
}

func (t *Thread) failureOf(h Handle) error {
	r := t.runtime().find(t.id)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.head.started.failed {
		if f := &r.head.started.failed[i]; f.id == h.id && f.failure != nil {
			d := &decoder{unsafe.Slice((*byte)(f.failure), f.len)}
			return d.failure()
		}
	}
	return nil
}
