package unix

import "syscall"

// MaxSockets bounds the indices of sockets, which are at least 0 and below it.
const MaxSockets = 4096

// socket is one socket. Other sockets are referred to by index and 1; 0 is none.
type socket struct {
	kind  uint8 // syscall.SOCK_STREAM and so on; 0: the place is free
	state state

	shutIn, shutOut bool // nothing is received or sent any more
	starved         bool // somebody waits for room here, see wake
	passCred        bool // SO_PASSCRED
	flags           uint8
	pendingError    syscall.Errno

	refs  int32 // the descriptor's, and one for each socket whose peer it is
	peer  int32
	wants int32 // for whose room this socket waits

	// The queue of what was received (queue.go).
	first, last uintptr
	pages       int32
	messages    int32

	// A listener's queue of sockets to accept, and in those the next one.
	backlog, waiting int32
	firstNew, newest int32
	nextNew          int32

	sendBuffer, receiveBuffer int32 // as SO_SNDBUF and SO_RCVBUF say

	name    [maxName]byte
	nameLen int32
	owner   bool    // the name leads here; not so of accepted sockets, which have the name of their listener
	node    uintptr // of the file system, 0: none
}

type state uint8

const (
	unconnected state = iota
	listening
	connected // streams and packets; stays so when the peer has closed
	closed    // and still somebody's peer
)

var (
	sockets    [MaxSockets]socket
	nextSocket int32
)

// at is the socket of an index and 1.
//
//go:noinline
func at(i int32) *socket { return &sockets[i-1] }

const defaultBuffer = 212992 // Linux's

// allocate returns the index and 1 of a new socket, 0 if there are too many.
func allocate(kind uint8) int32 {
	for range MaxSockets {
		i := nextSocket
		nextSocket = (nextSocket + 1) % MaxSockets
		if s := &sockets[i]; s.kind == 0 {
			*s = socket{kind: kind, refs: 1, sendBuffer: defaultBuffer, receiveBuffer: defaultBuffer}
			return i + 1
		}
	}
	return 0
}

// release undoes one reference to socket i.
func release(i int32) {
	s := at(i)
	if s.refs--; s.refs == 0 {
		s.kind = 0
	}
}

// link makes peer the peer of s.
func (s *socket) link(peer int32) {
	old := s.peer
	at(peer).refs++
	s.peer = peer
	if old != 0 {
		release(old)
	}
}

func (s *socket) unlink() {
	if p := s.peer; p != 0 {
		s.peer = 0
		release(p)
	}
}

// stream reports whether s has no bounds between messages, and connects whether
// it is of a kind that is connected both ways, with listen and accept.
func (s *socket) stream() bool   { return s.kind == syscall.SOCK_STREAM }
func (s *socket) connects() bool { return s.kind != syscall.SOCK_DGRAM }

func kindOf(typ, protocol uintptr) (uint8, syscall.Errno) {
	if protocol != 0 && protocol != syscall.AF_UNIX {
		return 0, syscall.EPROTONOSUPPORT
	}
	switch typ &^ (syscall.SOCK_NONBLOCK | syscall.SOCK_CLOEXEC) {
	case syscall.SOCK_STREAM:
		return syscall.SOCK_STREAM, 0
	case syscall.SOCK_DGRAM, syscall.SOCK_RAW:
		return syscall.SOCK_DGRAM, 0
	case syscall.SOCK_SEQPACKET:
		return syscall.SOCK_SEQPACKET, 0
	}
	return 0, syscall.ESOCKTNOSUPPORT
}

// Open is socket(2). It returns the new socket's index.
func Open(typ, protocol uintptr) (int, syscall.Errno) {
	kind, e := kindOf(typ, protocol)
	if e != 0 {
		return 0, e
	}
	i := allocate(kind)
	if i == 0 {
		return 0, syscall.ENFILE
	}
	return int(i - 1), 0
}

// Pair is socketpair(2).
func Pair(typ, protocol uintptr) (a, b int, e syscall.Errno) {
	kind, e := kindOf(typ, protocol)
	if e != 0 {
		return 0, 0, e
	}
	i := allocate(kind)
	if i == 0 {
		return 0, 0, syscall.ENFILE
	}
	j := allocate(kind)
	if j == 0 {
		release(i)
		return 0, 0, syscall.ENFILE
	}
	at(i).link(j)
	at(j).link(i)
	if at(i).connects() {
		at(i).state, at(j).state = connected, connected
	}
	return int(i - 1), int(j - 1), 0
}

// Close ends a socket whose last descriptor is closed.
func Close(index int) {
	i := int32(index) + 1
	s := at(i)
	if s.node != 0 {
		kernel.Unbind(s.node)
	}
	for s.firstNew != 0 { // nobody will accept these
		n := s.firstNew
		s.firstNew = at(n).nextNew
		at(n).end(n, true)
	}
	s.end(i, s.unread())
}

// unread reports whether s has received what it has not read, a single empty
// packet aside: the newest Linuxes tell nobody of its loss.
func (s *socket) unread() bool {
	first := s.first
	if first != 0 && pageAt(first).start == pageAt(first).end {
		first = pageAt(first).next
	}
	return first != 0
}

// end is the end of s, which is socket i: its peer hears of it, what it has not
// received is lost, and the reference of whoever had it is undone.
func (s *socket) end(i int32, reset bool) {
	s.state = closed
	s.shutIn, s.shutOut = true, true
	if s.connects() {
		s.hangUp(i, reset)
	}
	s.unlink()
	discard(s)
	s.wake(i)
	release(i)
}

// hangUp tells the peer that s is gone.
func (s *socket) hangUp(i int32, reset bool) {
	if s.peer == 0 {
		return
	}
	if p := at(s.peer); p.peer == i {
		p.shutIn, p.shutOut = true, true
		if reset {
			p.pendingError = syscall.ECONNRESET
		}
		kernel.Notify(int(s.peer-1), syscall.EPOLLIN|syscall.EPOLLOUT|syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR)
	}
}

// wake tells those who wait for room at s, which is socket i, to try again.
func (s *socket) wake(i int32) {
	if !s.starved {
		return
	}
	s.starved = false
	for k := range sockets {
		if o := &sockets[k]; o.kind != 0 && (o.wants == i || o.peer == i) {
			o.wants = 0
			kernel.Notify(k, syscall.EPOLLOUT)
		}
	}
}

// room is how many pages a sender with this buffer may fill at a receiver.
func (s *socket) room() int32 { return max(s.sendBuffer/PageSize, 2) }

// Readiness is what epoll would report of a socket now.
func Readiness(index int) uint32 {
	s := &sockets[index]
	r := uint32(0)
	if s.pendingError != 0 {
		r |= syscall.EPOLLERR
	}
	if s.shutIn && s.shutOut {
		r |= syscall.EPOLLHUP
	}
	if s.shutIn {
		r |= syscall.EPOLLIN | syscall.EPOLLRDHUP
	}
	if s.first != 0 || s.firstNew != 0 {
		r |= syscall.EPOLLIN
	}
	if s.connects() && s.state == unconnected {
		r |= syscall.EPOLLHUP
	}
	if s.writable(int32(index) + 1) {
		r |= syscall.EPOLLOUT
	}
	return r
}

// MaxQueue is how many datagrams beside the newest wait in a socket for more to be
// sent there: a Linux default of net.unix.max_dgram_qlen.
const MaxQueue = 10

// crowded reports whether s takes no more from socket i, which is not its peer.
func (s *socket) crowded(i int32) bool {
	return s.peer != i && at(i) != s && s.messages > MaxQueue
}

// writable reports whether s, which is socket i, can send a message of ordinary size.
// If not, it is notified when it can.
func (s *socket) writable(i int32) bool {
	if s.state == listening {
		return false
	}
	if s.peer == 0 {
		return true
	}
	p := at(s.peer)
	if p.pages*2 <= s.room() && !p.crowded(i) {
		return true
	}
	p.starved = true
	return false
}
