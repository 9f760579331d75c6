//go:build metal

package kernel

import (
	"sync/atomic"
	"unsafe"

	"nuos/kernel/internal/sched"
	"nuos/mm"
)

// Threads: what clone(2) makes. A thread is one frame, its saved registers and
// bookkeeping in front and its vector state behind. There is no kernel stack
// per thread: a system call that has to wait leaves a note in the thread and
// returns to the scheduler, and whoever wakes it finishes the call.
//
// Threads refer to each other by number, never by pointer, so that no store
// needs a write barrier.

const (
	maxThreads   = 4096
	vectorOffset = 1024 // of the vector state in a thread's frame
)

// waitKind is what a blocked thread waits for.
type waitKind uint8

const (
	waitNone  waitKind = iota
	waitSleep          // the time thread.deadline
	waitFutex          // a wake on the word thread.waitOn, or the deadline
	waitFile           // any event of file thread.waitOn, or the deadline; then the call is made again
	waitEpoll          // an item of epoll thread.waitOn, or the deadline
	waitCall           // CompleteCall with thread.token
)

// thread is one thread. The assembly knows the registers by name.
type thread struct {
	ax, bx, cx, dx, si, di, bp, sp       uint64
	r8, r9, r10, r11, r12, r13, r14, r15 uint64
	ip, flags                            uint64
	full                                 uint64  // all registers count: return by IRETQ
	fs                                   uint64  // FS base
	vector                               uintptr // vector state, 64-byte aligned

	task  sched.Task // says who may touch the rest
	tid   int32
	wait  waitKind
	retry bool // make the system call again before returning to the program
	again bool // it is being made again

	next   int32 // in a list of waiters
	waitOn uint64
	token  Token
	owns   int32 // file and 1 that is there for the call alone, 0 for none: see disown

	// deadline is when the wait times out, 0 never. heapCPU and heapAt say
	// where it stands in a timer heap; heapAt is 0 if in none.
	deadline int64
	heapCPU  int32
	heapAt   int32

	used int64 // processor time, ns; others read it without a lock

	nr      uint64   // system call being made
	written uint64   // so far, of a write that goes on: see writeAll
	name    [16]byte // PR_SET_NAME, a C string

	mask        atomic.Uint64 // blocked signals, bit signo-1; written by the owner alone
	maskBefore  uint64        // see waitmask.go
	maskSwapped bool
	pending     atomic.Uint64 // signals; anybody adds to it with signalLock, the owner takes away
	altStack    uintptr
	altSize     uintptr
	guard       mm.Virt   // a page of the signal stack, 0 for none
	guardMissed uint64    // the processors that may remember that page without a guard, a bit for each
	fault       faultInfo // for the siginfo of a synchronous signal
	profile     cpuTimer
}

// threads has the address of each thread by number; thread numbers begin at 1
// and the first is the process's. It is changed with the kernel's lock and signalLock
// held, so that a thread that is found with either of them does not end meanwhile.
var (
	threads    [maxThreads]uintptr
	numThreads int32 // alive
	lastTID    int32
)

// threadAt returns the live thread of a number, nil if there is none.
//
//go:noinline
func threadAt(tid int32) *thread {
	if tid <= 0 || tid >= maxThreads || threads[tid] == 0 {
		return nil
	}
	return (*thread)(pointer(threads[tid]))
}

// newThread makes a thread with nothing in its registers. It is nil if there
// are too many or there is no memory.
// Precondition: the kernel's lock is held.
func newThread() *thread {
	for range maxThreads {
		lastTID++
		if lastTID >= maxThreads {
			lastTID = 1
		}
		if threads[lastTID] != 0 {
			continue
		}
		frame, ok := allocFrames(0)
		if !ok {
			return nil
		}
		t := (*thread)(pointer(frame))
		t.tid = lastTID
		t.vector = frame + vectorOffset
		t.flags = flagsIF | 2
		resetVector(t.vector)
		signalLock.Lock()
		threads[lastTID] = frame
		signalLock.Unlock()
		numThreads++
		return t
	}
	return nil
}

// resetVector makes the zeroed area at addr a valid initial state for FXRSTOR
// and XRSTOR: x87 control word 0x37F, MXCSR 0x1F80 (SDM vol. 1, 10.5 and 13.4;
// a zero XSTATE_BV means initial state, but MXCSR is loaded all the same).
func resetVector(addr uintptr) {
	*(*uint16)(pointer(addr)) = 0x37F
	*(*uint32)(pointer(addr + 24)) = 0x1F80
}

// exit ends the running thread. Its registers are not used again, and we are on
// the processor's stack, so its frame can go at once.
// Precondition: the kernel's lock is held.
func (c *cpu) exit(t *thread) uint64 {
	c.account(t, nanotime())
	c.setCurrent(nil)
	deadTime += t.used
	t.unguardStack()
	signalLock.Lock()
	threads[t.tid] = 0
	signalLock.Unlock()
	numThreads--
	freeFrames(uintptr(unsafe.Pointer(t)))
	return blocked
}

// block makes the running thread wait, unless a signal has come that ends the wait at
// once. The caller has set AX and what belongs to the wait, has put the thread into
// the list of those that wait for the same, and holds the lock of that list; it does not touch
// the thread afterwards if the lock is another than the kernel's. A deadline of 0 is
// none.
func (c *cpu) block(t *thread, kind waitKind, deadline int64) {
	t.wait, t.deadline = kind, deadline
	if deadline != 0 {
		c.sleepers.push(c.id, t)
	}
	now := nanotime()
	c.account(t, now)
	signals := kind != waitCall
	if signals && t.deliverable() != 0 || !t.task.Block(signals) {
		if t.deadline != 0 {
			c.sleepers.remove(t)
		}
		t.leaveList()
		t.interrupted()
		return
	}
	c.setCurrent(nil)
}

// deliverable is the set of signals that the thread has to handle now.
func (t *thread) deliverable() uint64 { return t.pending.Load() &^ t.mask.Load() }

// unblock makes a thread ready whose wait is over. It is the caller's, by Claim, and no
// longer in any list but a timer heap.
func unblock(t *thread) {
	if t.deadline != 0 {
		cpus[t.heapCPU].sleepers.remove(t)
	}
	t.wait = waitNone
	wake(t)
}

// leaveList takes a thread out of the list in which it waits.
// Precondition: the lock of the list is held.
func (t *thread) leaveList() {
	switch t.wait {
	case waitFutex:
		futexBucket(t.waitOn).threads.remove(t)
	case waitEpoll, waitFile:
		files[t.waitOn].waiters.remove(t)
	}
}

// endWait ends the wait of a thread that is the caller's before what it waits for has come:
// because of a signal, or because its time is over.
func endWait(t *thread, bySignal bool) {
	taken := false
	switch t.wait {
	case waitFutex:
		b := futexBucket(t.waitOn)
		b.lock.Lock()
		t.leaveList()
		b.lock.Unlock()
	case waitEpoll, waitFile:
		taken = relock()
		t.leaveList()
	}
	if bySignal {
		t.interrupted()
	} else {
		t.timedOut()
	}
	if taken {
		unlock()
	}
	unblock(t)
}

// interrupted is how a wait ends because a signal has come: with EINTR, or with the
// call made again after the handlers.
func (t *thread) interrupted() {
	if t.wait == waitSleep {
		t.storeRest()
	}
	if t.wait == waitFile && t.deadline == 0 && signalsRestart(t) {
		t.ip -= 2 // to the SYSCALL instruction, with the call's number still in AX
	} else {
		t.ax = errno(eINTR)
	}
	if t.wait == waitEpoll || t.wait == waitFile {
		t.storeLeft()
		thisCPU().disown(t)
	}
}

// timedOut is how a wait ends whose deadline has passed.
func (t *thread) timedOut() {
	switch t.wait {
	case waitSleep:
		t.ax = 0
	case waitFutex:
		t.ax = errno(eTIMEDOUT)
	case waitEpoll, waitFile:
		t.retry = true // which finds that its time is over
	}
}
