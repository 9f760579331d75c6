//go:build metal

package kernel

import "unsafe"

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

type threadState uint8

const (
	threadEnded   threadState = iota
	threadReady               // in the run queue
	threadRunning             // on processor thread.cpu
	threadBlocked             // see thread.wait
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

	tid   int32
	cpu   int32 // where it runs, or ran last
	state threadState
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

	runtime int64 // virtual run time, ns; see sched.go
	used    int64 // processor time, ns

	nr      uint64   // system call being made
	written uint64   // so far, of a write that goes on: see writeAll
	name    [16]byte // PR_SET_NAME, a C string

	mask        uint64 // blocked signals, bit signo-1
	maskBefore  uint64 // see waitmask.go
	maskSwapped bool
	pending     uint64
	altStack    uintptr
	altSize     uintptr
	altFlags    int32
	fault       faultInfo // for the siginfo of a synchronous signal
	profile     cpuTimer
}

// threads has the address of each thread by number; thread numbers begin at 1
// and the first is the process's.
var (
	threads    [maxThreads]uintptr
	numThreads int32 // alive
	lastTID    int32
)

// at returns the live thread of a number, nil if there is none.
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
		threads[lastTID] = frame
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

// freeThread ends a thread. Its registers are not used again, and we are on
// the processor's stack, so its frame can go at once.
func freeThread(t *thread) {
	deadTime += t.used
	threads[t.tid] = 0
	numThreads--
	freeFrames(uintptr(unsafe.Pointer(t)))
}

// block makes the running thread wait. The caller has set wait and what
// belongs to it; a deadline of 0 is none.
func (c *cpu) block(t *thread, kind waitKind, deadline int64) {
	t.state, t.wait, t.deadline = threadBlocked, kind, deadline
	if deadline != 0 {
		c.sleepers.push(c.id, t)
	}
}

// unblock makes a blocked thread ready. It is no longer in any list but a timer
// heap.
func unblock(t *thread) {
	if t.heapAt != 0 {
		cpus[t.heapCPU].sleepers.remove(t)
	}
	t.wait = waitNone
	wake(t)
}

// interrupt ends a wait early, with EINTR or by making the call again after the
// handlers, because a signal has come. It reports false for waits that signals do not end.
func interrupt(t *thread) bool {
	switch t.wait {
	case waitSleep:
		t.storeRest()
	case waitFutex:
		futexRemove(t)
	case waitEpoll, waitFile:
		waitersRemove(t)
		t.storeLeft()
	default:
		return false
	}
	if t.wait == waitFile && t.deadline == 0 && signalsRestart(t) {
		t.ip -= 2 // to the SYSCALL instruction, with the call's number still in AX
	} else {
		t.ax = errno(eINTR)
	}
	thisCPU().disown(t)
	unblock(t)
	return true
}

// timeout ends a wait whose deadline has passed.
func timeout(t *thread) {
	switch t.wait {
	case waitSleep:
		t.ax = 0
	case waitFutex:
		futexRemove(t)
		t.ax = errno(eTIMEDOUT)
	case waitEpoll, waitFile:
		waitersRemove(t)
		t.retry = true // which finds that its time is over
	}
	unblock(t)
}
