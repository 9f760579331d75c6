//go:build metal

package kernel

import "syscall"

// Signal masks that hold during one call, as ppoll, pselect6 and epoll_pwait take
// them. The mask of before comes back when the call is over, or when the handler of
// a signal that the mask let in returns.

// swapMask makes the mask at addr the thread's until the call is over; none is
// changed if addr is 0. size is that of the mask.
func (t *thread) swapMask(addr, size uint64) syscall.Errno {
	if addr == 0 || t.again {
		return 0
	}
	if size != 8 {
		return eINVAL
	}
	m, ok := loadUser64(addr)
	if !ok {
		return eFAULT
	}
	t.maskBefore, t.maskSwapped = t.mask.Load(), true
	t.mask.Store(m &^ unblockable)
	return 0
}

// restoreMask ends what swapMask began and reports whether there was anything to end.
func (t *thread) restoreMask() bool {
	if !t.maskSwapped {
		return false
	}
	t.maskSwapped = false
	t.mask.Store(t.maskBefore)
	return true
}

// maskOfFrame is the mask that the return from a handler brings back.
func (t *thread) maskOfFrame() uint64 {
	if !t.maskSwapped {
		return t.mask.Load()
	}
	t.maskSwapped = false
	return t.maskBefore
}
