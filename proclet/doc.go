// Package proclet is the programming model of nuos.
//
// A proclet is a unit of state with a heap of its own, at addresses that are
// unique in the rack, and the methods that work on that state. It lives on one
// machine at a time, may move to another one while it is being called, and
// shares no memory with anything outside.
//
// # State
//
// The state of a proclet is a struct, its state type. [New] starts with its zero
// value. It may hold numbers, arrays, structs, a [Ref] to another proclet, what
// threads wait with, see below, and containers, whose contents lie in the proclet's
// heap. Go's maps, channels, functions, interfaces, strings, slices and pointers
// would point out of the heap, where neither a move nor the garbage collector
// follows them; they are refused when the first proclet of the type is made, with
// an error that names the field and what to use instead.
//
// # Containers
//
// They are [String], [Bytes], [Slice], [Deque], [Map], [Set], [OrderedMap], [Heap],
// a priority queue, and [Ptr], which owns one object. They may contain each other.
//
// A container owns what is in it. Keys and values given to it are copied, those
// removed are freed, and an error, such as [ErrHeapFull], leaves it unchanged.
// A value given to it must have no contents in its containers, Strings and Bytes
// excepted; they are filled in place. What a container returns without copying, the
// contents of a String or a pointer to a value, is valid until the container
// changes or, where its documentation says so, until that element is removed.
//
// An iteration goes on when the container is changed, by the body of the loop or by
// another call while that waits; what is given then is said at each All. Two things
// are mistakes that are not noticed: to use what is not valid any more, and to
// free a container itself, or what contains it, while it is iterated over. A
// program built with the tag proclet_debug fills freed memory with a pattern and
// panics when it has been written to. It also checks a heap whenever a method has
// ended in it, and fails the call if it finds a pointer into Go's heap.
//
// Reading and iterating allocate nothing. A container is no lock: calls that
// change it, and those that read it meanwhile, take turns with a Mutex or the like.
//
// # Methods and calls
//
// A method of a state type S that others may call has the form
//
//	func (s *S) Method(t *proclet.Thread, arg A) (R, error)
//
// and is called with a method expression:
//
//	n, err := proclet.Call(t, ref, (*Counter).Add, "requests")
//
// Argument and result are copied, see below. If the proclet lives on the same
// machine the call is direct; if not, it is one message and its answer. A call
// follows a proclet that has moved without the caller noticing. It is executed
// exactly once, or reports [ErrNoProclet] or [ErrLost] (not executed) or
// [ErrMaybeExecuted].
//
// [Go] makes a call and gives a [Future], which can be cancelled; [CallMany] calls
// several proclets at once; [Post] wants no answer. [CallWithin] sets a deadline,
// which goes with the calls that the method makes in turn, as does cancelling, also
// to those on their way; but not to what it has begun with Go or Post. Both
// end the waiting of callers and keep later calls from being made; a method
// that runs for long asks [Thread.Err]. A machine has a bounded number of
// asynchronous calls on their way; who wants to make another one waits.
//
// A method takes one argument and returns one result: several are the fields of a
// struct. An error arrives as its text, with the errors in it that were named by
// [RegisterErrors] or [RegisterErrorType].
//
// Several calls may be inside a proclet at once. A method that needs to be alone
// takes a Mutex, with [Mutex.Hold] if it returns what refers to the state:
// a result is copied after the method has returned.
//
// # Waiting
//
// Threads of a proclet wait for each other, and for time to pass, with values in
// its state: [Mutex], [RWMutex], [Cond], [WaitGroup], [Semaphore], [Once],
// [Promise], [Timer] and [Ticker], and with [Thread.Sleep]. They are like their
// counterparts in package sync but for the Thread that their methods take: their
// zero values are ready, and they may lie in containers. Whoever waits is linked
// into them with a record in the proclet's heap; so a thread that waits moves with
// its proclet, and its place in the queue and its deadline with it. Deadlines are
// times of the proclet's clock, [Thread.Now], which goes on where the proclet goes.
//
// Nobody starves: a Mutex is handed over to a thread that others have overtaken,
// readers and writers of an RWMutex take turns, and signals, permits and ticks go
// to the thread that has waited longest.
//
// Waiting takes a little room in the heap, some of which is set aside for that. A
// method that has to wait when even that is full panics with [ErrHeapFull].
//
// Package sync and channels are not for waiting in methods: a thread that waits
// with them cannot move, and so neither can its proclet.
//
// # Threads
//
// Methods run on threads that move. A call from another machine, or of an ordinary
// goroutine, starts one; a call of another proclet on the same machine runs on the
// caller's. [Thread.Go] and [Start] start one that goes on when the method has
// returned, until it ends or its proclet does; [Handle.Join] waits for it.
//
// When a proclet is to move, its threads leave at their next safe point: where they
// wait with something of this package or in a call, and at [Thread.Checkpoint],
// which methods that compute for long should call now and then. They go on
// where the proclet is then, in the middle of whatever they do: locals, deferred
// functions, panics in flight, pointers into the heap and into the stack are as
// they were. A thread that is inside several proclets is divided: each method stays
// with its proclet, and those that wait for each other do so across machines.
//
// What a thread needs at a safe point must not lie in Go's heap: what make, append,
// fmt and closures that escape return stays on its machine. If it does, the move is
// given up with [ErrHeld], which names the function and the line, and the thread
// goes on. Arguments, and what calls return, lie in memory that moves with the
// thread until the method returns; see [Thread.Scope] for methods that call in a
// loop. [Thread.Guard] keeps a thread where it is, for a short time: a move that has
// to wait for long is given up and tried again later.
//
// A panic that nobody recovers, and runtime.Goexit, end the call or the thread, not
// the machine. A method that finds too little stack for another call makes it on a
// stack of its own, as if it came from elsewhere. A stack that overflows between
// calls is Go's fatal error.
//
// # Arguments and results
//
// They may be numbers, strings, slices, maps, arrays, structs and pointers to all
// of these, String, Ref and time.Time, which arrives in UTC and without its
// monotonic reading; and types that implement encoding.BinaryAppender and
// encoding.BinaryUnmarshaler. A type that contains itself, and a Slice or Map of
// a proclet, cannot be passed. Pointers and slices are copied as trees:
// what was shared is so no longer. An argument lies in memory of the callee's
// thread and is gone when the method has returned, so keep copies only; with the tag
// proclet_debug it is filled with a pattern then. Go maps, and types with
// an encoding of their own, are the exception: they are built in Go's heap.
//
// # References
//
// A proclet lives as long as somebody holds it: a method, a proclet's state, an
// ordinary goroutine, or a name. [Ref] says who holds what is where. Methods need not do
// anything for that: what they get is theirs until they return, what they store is
// held by the state, and what they return by their caller.
//
//	child, err := proclet.New[Node](t, proclet.Options{Near: ref})
//	...
//	return n.left.Set(t, child) // without this it would end with the method
//
// When the last holder has given it back, the proclet ends on the machine where it
// lives then: see [Closer]. A [RemotePtr] points to an object inside a proclet, on
// which methods are called with [CallAt]; [RemoteUnique] and [RemoteShared] hold
// the object, and the proclet with it.
//
// Counts change exactly once, however often a message about it has to be sent. An
// acquisition waits for its answer; giving back happens in the background.
//
// # Invariants
//
//   - A heap holds no pointers out of it, except to constants of the program. So
//     it may be copied to the same addresses of another machine that runs the same
//     program. State types, arguments and containers guarantee it; package unsafe
//     can break it.
//   - A proclet is in the table of one machine only, and calls run only while they
//     are counted by its gate. When the gate is closed and nobody is inside, nothing
//     of the proclet changes.
//   - Threads that have left their stacks lie in the heap, as bytes without pointers
//     into Go's heap. The gate of an open proclet counts them as well.
//   - The identities of calls from other machines and the answers to them lie in the
//     heap and move with it.
//   - Methods and types are named between machines by their places in the program,
//     which all machines have in common; see image.go. No registration is needed.
//
// # Caveats
//
//   - Proclets that hold each other in a circle live until [Destroy]: one of them
//     should have a [Weak]. What a machine holds that dies, and what was on its way to
//     it, is held for ever. Otherwise counts are exact.
//   - A Ref in the state that was assigned, and not given to Set or a container,
//     holds nothing.
//   - A method must not start goroutines that outlive it, nor keep its Thread,
//     its argument or pointers into the state in Go variables.
//   - A move needs room in the heap for the stacks of the threads inside, some 3 KB
//     each and what they use; otherwise it is given up with ErrHeld and ErrHeapFull.
//   - Threads that were started in a proclet end with it, as by runtime.Goexit: when no
//     call is inside any more, at their next safe point, or where they wait. Only
//     deferred functions unlock what they hold then. What the answer of a call holds that such
//     a thread was waiting for, it holds for ever.
//   - Only the last 16 failures of a proclet's threads are kept for [Handle.Join]. All
//     are logged.
//   - Under the race detector threads are goroutines and do not move: a proclet
//     moves when they have ended.
//   - Global variables belong to a machine, not to a proclet.
//   - A long answer, more than a sixteenth of the heap with those kept already, is
//     not kept: if it is lost together with the machine that sent it, the caller
//     gets ErrMaybeExecuted although the proclet lives.
//   - Primitives are known by their addresses to those who wait: they must not be
//     copied, and a [Slice] whose elements have some must not grow while anybody
//     uses these. The values of a [Map] stay where they are.
//   - The race detector does not see heaps of proclets, nor the order that
//     primitives make between threads.
//   - Two proclets that call each other while holding a Mutex each can deadlock, as
//     with any locks.
package proclet
