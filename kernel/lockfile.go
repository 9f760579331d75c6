//go:build metal

package kernel

import "syscall"

// flock(2): advisory locks that belong to open files, not to descriptors.
// file.locked says what each holds.

const (
	lockNone = iota
	lockShared
	lockExclusive
)

func (c *cpu) flock(t *thread, fd int32, op uint64) uint64 {
	f := fileOf(fd)
	if f == nil || f.kind == filePath {
		return errno(eBADF)
	}
	want := uint8(0)
	switch op &^ syscall.LOCK_NB {
	case syscall.LOCK_UN:
		f.unlock()
		return 0
	case syscall.LOCK_SH:
		want = lockShared
	case syscall.LOCK_EX:
		want = lockExclusive
	default:
		return errno(eINVAL)
	}
	if f.locked == want {
		return 0
	}
	f.unlock() // a change of kind is not atomic, as on Linux
	if f.node != 0 && f.conflicts(want) {
		if op&syscall.LOCK_NB != 0 {
			return errno(eAGAIN)
		}
		return c.wait(t, f)
	}
	f.locked = want
	return 0
}

// conflicts reports whether another open file of the same node has a lock that
// keeps f from having one.
func (f *file) conflicts(want uint8) bool {
	for i := range files {
		o := &files[i]
		if o != f && o.kind != fileFree && o.node == f.node && o.locked != lockNone &&
			(want == lockExclusive || o.locked == lockExclusive) {
			return true
		}
	}
	return false
}

// unlock gives a lock back; whoever waits for one of the same node tries again.
func (f *file) unlock() {
	if f.locked == lockNone {
		return
	}
	f.locked = lockNone
	for i := range files {
		o := &files[i]
		for o.kind != fileFree && o.node == f.node && o.waiters.first != 0 {
			wakeWaiter(o)
		}
	}
}

// posixLock is fcntl(2) with a record lock. They belong to processes, of which
// there is one, so nobody else ever holds one.
func posixLock(op, addr uint64) uint64 {
	const getLock, getOFDLock = 5, 36
	if op != getLock && op != getOFDLock {
		return 0
	}
	unlocked := [2]byte{syscall.F_UNLCK, 0}
	if !CopyOut(uintptr(addr), unlocked[:]) {
		return errno(eFAULT)
	}
	return 0
}
