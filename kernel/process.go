//go:build metal

package kernel

import (
	"syscall"
	"unsafe"
)

// System calls about threads and the process as a whole.

// clone is clone(2) for threads that share everything, the only kind there is.
func (c *cpu) clone(t *thread, flags, stack, childTID, tls uint64) uint64 {
	const need = syscall.CLONE_VM | syscall.CLONE_FS | syscall.CLONE_FILES |
		syscall.CLONE_SIGHAND | syscall.CLONE_THREAD
	const known = need | syscall.CLONE_SYSVSEM | syscall.CLONE_SETTLS
	if flags&need != need || flags&^known != 0 {
		return errno(eNOSYS) // a second process
	}
	n := newThread()
	if n == nil {
		return errno(eAGAIN)
	}
	n.bx, n.cx, n.dx, n.si, n.di, n.bp = t.bx, t.cx, t.dx, t.si, t.di, t.bp
	n.r8, n.r9, n.r10, n.r11 = t.r8, t.r9, t.r10, t.r11
	n.r12, n.r13, n.r14, n.r15 = t.r12, t.r13, t.r14, t.r15
	n.ip, n.flags, n.fs, n.mask = t.ip, t.flags, t.fs, t.mask
	n.ax = 0
	n.sp = t.sp
	if stack != 0 {
		n.sp = stack
	}
	if flags&syscall.CLONE_SETTLS != 0 {
		n.fs = tls
	}
	n.cpu = t.cpu
	n.runtime = sched.minRuntime
	wake(n)
	return uint64(n.tid)
}

func archPrctl(t *thread, op, addr uint64) uint64 {
	const setFS, getFS = 0x1002, 0x1003
	switch op {
	case setFS:
		t.fs = addr
		return 0
	case getFS:
		if !storeUser64(addr, t.fs) {
			return errno(eFAULT)
		}
		return 0
	}
	return errno(eINVAL)
}

// schedGetaffinity has one bit for each processor that is up.
func schedGetaffinity(size, addr uint64) uint64 {
	bits := ^uint64(0)
	if numCPUs < 64 {
		bits = 1<<uint(numCPUs) - 1
	}
	if size < 8 || size%8 != 0 {
		return errno(eINVAL)
	}
	if !storeUser64(addr, bits) {
		return errno(eFAULT)
	}
	return 8
}

// yield lets every other ready thread go first.
func (c *cpu) yield(t *thread) uint64 {
	if sched.numReady == 0 {
		return 0
	}
	for i := range sched.numReady {
		if r := threadAt(sched.ready[i]).runtime; t.runtime < r {
			t.runtime = r
		}
	}
	c.resched = true
	return 0
}

func prctl(op uint64) uint64 {
	const setVMA = 0x53564d41 // names of mappings, which nobody reads here
	if op == setVMA {
		return errno(eINVAL) // what a Linux without CONFIG_ANON_VMA_NAME says
	}
	return errno(eINVAL)
}

// prlimit is prlimit64(2) for reading. The only limit is that on descriptors.
func prlimit(resource, set, get uint64) uint64 {
	cur, max := ^uint64(0), ^uint64(0)
	if resource == syscall.RLIMIT_NOFILE {
		cur, max = maxFDs, maxFDs
	}
	if set != 0 && resource != syscall.RLIMIT_NOFILE {
		return errno(syscall.EPERM)
	}
	if get != 0 && (!storeUser64(get, cur) || !storeUser64(get+8, max)) {
		return errno(eFAULT)
	}
	return 0
}

// unameFields are the six fields of struct utsname, 65 bytes each.
var unameFields = [6]string{"Linux", "nuos", "6.1.0-nuos", "#1", "x86_64", "(none)"}

func uname(addr uint64) uint64 {
	var field [65]byte
	for i := range unameFields {
		clear(field[:])
		copy(field[:], unameFields[i])
		if !CopyOut(uintptr(addr)+uintptr(i)*65, field[:]) {
			return errno(eFAULT)
		}
	}
	return 0
}

// setCurrent names the thread that runs on c, nil for none.
func (c *cpu) setCurrent(t *thread) { c.current = uintptr(unsafe.Pointer(t)) }
