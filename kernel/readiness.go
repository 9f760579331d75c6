//go:build metal

package kernel

import (
	"syscall"

	"nuos/kernel/unix"
)

// What a file is ready for, in the bits of epoll and poll.

// Bits of poll(2) that say the same as EPOLLIN and EPOLLOUT.
const (
	pollReadNormal  = 0x40
	pollWriteNormal = 0x100
)

// normal adds these bits.
func normal(mask uint32) uint32 {
	if mask&syscall.EPOLLIN != 0 {
		mask |= pollReadNormal
	}
	if mask&syscall.EPOLLOUT != 0 {
		mask |= pollWriteNormal
	}
	return mask
}

// readiness is what epoll and poll would report for a file now.
func (f *file) readiness() uint32 {
	switch f.kind {
	case fileEpoll:
		if f.anyReady() {
			return syscall.EPOLLIN | pollReadNormal
		}
		return 0
	case fileEvent:
		r := uint32(0)
		if f.count > 0 {
			r |= syscall.EPOLLIN
		}
		if f.count < eventMost {
			r |= syscall.EPOLLOUT
		}
		return r
	case fileTimer:
		if f.count > 0 || timers[f.object].canceled {
			return syscall.EPOLLIN
		}
		return 0
	case fileInotify:
		if queueOf(f).Bytes() > 0 {
			return syscall.EPOLLIN | pollReadNormal
		}
		return 0
	case filePipe:
		return normal(f.pipeReadiness())
	case fileSocket:
		socketArgs = Call{Nr: syscall.SYS_POLL, Sock: int(f.object)}
		socketTable.Load().Call(&socketArgs)
		return normal(socketReady[f.object])
	case fileUnix:
		return normal(unix.Readiness(int(f.object)))
	}
	return normal(syscall.EPOLLIN | syscall.EPOLLOUT)
}

// anyReady reports whether an epoll has something to report.
func (f *file) anyReady() bool {
	for i := f.readyList.first; i != 0; i = items[i-1].next {
		if items[i-1].ready() != 0 {
			return true
		}
	}
	return false
}

// ready is what an item reports now.
func (it *epollItem) ready() uint32 {
	return files[it.file].readiness() & (it.events | epollAlways) & epollBits
}
