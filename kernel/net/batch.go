package net

import "syscall"

// Several messages in one call: sendmmsg(2) and recvmmsg(2) take an array of struct
// mmsghdr, each a struct msghdr and how many bytes were sent or received. Only the
// first of them waits. Handler context.
const (
	mmsghdrSize   = 64
	mmsghdrLength = msghdrSize
	maxBatch      = 1024 // UIO_MAXIOV

	msgWaitForOne = 0x10000 // recvmmsg's MSG_WAITFORONE, which it does in any case
)

func (s *socket) sendMany(i int, addr, n, flags uintptr) int {
	for k := range min(n, maxBatch) {
		at := addr + k*mmsghdrSize
		sent, whole := s.sendMessage(i, at, flags, 0)
		if sent >= 0 && !putWord(at+mmsghdrLength, uint32(sent)) {
			sent = fail(syscall.EFAULT)
		}
		switch {
		case sent < 0 && k == 0:
			return sent
		case sent < 0:
			return int(k)
		case !whole:
			return int(k) + 1
		}
	}
	return int(min(n, maxBatch))
}

// receiveMany keeps an error that comes after messages for the next call.
func (s *socket) receiveMany(i int, addr, n, flags uintptr) int {
	if e := s.err.Swap(0); e != 0 {
		return -int(e)
	}
	for k := range min(n, maxBatch) {
		at := addr + k*mmsghdrSize
		got := s.receiveMessage(i, at, flags&^msgWaitForOne)
		if got >= 0 && !putWord(at+mmsghdrLength, uint32(got)) {
			got = fail(syscall.EFAULT)
		}
		switch {
		case got >= 0:
		case k == 0:
			return got
		default:
			if got != fail(syscall.EAGAIN) {
				s.err.Store(uint32(-got))
			}
			return int(k)
		}
	}
	return int(min(n, maxBatch))
}
