// Package sched decides which thread runs on which processor. It knows neither
// registers nor interrupts: the kernel tells it what happens and sends the
// interrupts that it asks for, and a test does the same with goroutines.
//
// # Who owns a task
//
// A Task is the scheduler's part of a thread. At any time it has one owner, who
// alone may touch the thread: the processor on which it runs; the queue in which it is
// ready, whose lock guards it; nobody while it is blocked, until somebody claims it.
// What may end a wait at the same time (a wake, a timeout, a signal) claims the
// task first, by one compare-and-swap, and who comes second leaves it alone. Who
// has claimed it takes it out of all lists of waiters and gives it to Wake. A wait has
// a number, so that nobody claims the next wait of a task instead of the one meant.
//
// # Who runs
//
// Each processor has a queue of ready tasks with a lock of its own. Tasks share the
// processors by virtual run time, as in Linux's fair class: the one that has run
// least goes first. A task that wakes up resumes where it was, but at most wakeBonus
// behind the others, so that a sleeper gets a processor at once and cannot starve
// those who did not sleep. It goes to an idle processor if there is one, else
// takes the place of the task that has run most. A processor without work takes some
// from another's queue; one that has work looks now and then whether somebody waits
// elsewhere who has run much less.
//
// # Why no wake-up is lost
//
// A processor joins the idle set before it looks into the queues for the last time;
// a waker looks into the idle set after its task is in a queue. All these are
// sequentially consistent, so one of the two sees the other. A waker that finds a
// processor in the set takes it out, which only one can, and kicks it.
//
// In the same way a processor shows what it runs before it looks whether somebody is in its
// queue who goes first, and a waker looks at what runs after its task is in the queue; and
// who makes a task ready says so before it asks where the task may run, while who changes
// that asks afterwards whether the task is ready.
//
// The tests run this code in every order that the operations of two processors on shared memory
// can have, and those of three in which two are interrupted (atomic_hosted.go, explore_test.go).
//
// # Locks
//
// There are only the locks of the queues, of which nobody holds two. What a queue
// shows without its lock (least) is a hint.
//
// # Caveats
//
// A queue is a list that is searched, not a tree: the ready threads of a Go program
// are few, about GOMAXPROCS and the odd one in a system call. Tasks refer to each other by address,
// which the garbage collector does not see: their owner keeps them alive.
package sched
