package unix

import "syscall"

// Several messages in one call: sendmmsg(2) and recvmmsg(2) take an array of struct
// mmsghdr, each a struct msghdr and how many bytes were sent or received. Only the
// first of them waits.
const (
	mmsghdrSize   = 64
	mmsghdrLength = msghdrSize
	maxBatch      = 1024 // UIO_MAXIOV

	sysSendmmsg   = 307     // package syscall does not have it
	msgWaitForOne = 0x10000 // recvmmsg's MSG_WAITFORONE, which it does in any case
)

func (s *socket) sendMany(i int32, addr, n, flags uintptr) int {
	for k := range min(n, maxBatch) {
		at := addr + k*mmsghdrSize
		m, e := loadMessage(at, flags)
		sent := fail(e)
		if e == 0 {
			sent = s.send(i, m)
		}
		if sent >= 0 && !store32(at+mmsghdrLength, uint32(sent)) {
			sent = fail(eFAULT)
		}
		switch {
		case sent < 0 && k == 0:
			return sent
		case sent < 0:
			return int(k)
		case sent < int(m.total):
			return int(k) + 1
		}
	}
	return int(min(n, maxBatch))
}

// receiveMany keeps an error that comes after messages for the next call.
func (s *socket) receiveMany(i int32, addr, n, flags uintptr) int {
	if s.pendingError != 0 {
		return fail(s.takeError())
	}
	for k := range min(n, maxBatch) {
		at := addr + k*mmsghdrSize
		m, e := loadMessage(at, flags&^msgWaitForOne)
		got := fail(e)
		if e == 0 {
			got = s.receive(i, m)
		}
		if got >= 0 && !store32(at+mmsghdrLength, uint32(got)) {
			got = fail(eFAULT)
		}
		switch {
		case got >= 0:
		case k == 0:
			return got
		default:
			if got != fail(eAGAIN) {
				s.pendingError = syscall.Errno(-got)
			}
			return int(k)
		}
	}
	return int(min(n, maxBatch))
}
