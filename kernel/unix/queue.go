package unix

import "unsafe"

// A message waits in one or more pages. Each page has a header, then, in a
// message's first page, the files it carries, and then bytes. A stream's messages are single pages: their bounds mean nothing but that
// files and credentials belong to the bytes they came with.
type page struct {
	next, more uintptr // the next message; the next page of this one
	last       uintptr // the message's last page, 0: this is the only one
	start, end uint32  // bytes, from the page's beginning
	size       uint32  // bytes of the whole message
	rights     uint32  // number of files
	sender     int32   // a socket, of which this is a reference; in first pages
	from       credentials
}

// credentials is struct ucred (unix(7)).
type credentials struct{ pid, uid, gid uint32 }

const (
	pageHeader = 64
	maxRights  = 253 // SCM_MAX_FD
)

func pageAt(addr uintptr) *page { return (*page)(pointer(addr)) }

// name is the name that the sender has now.
func (p *page) name() []byte { return at(p.sender).ownName() }

// file is one of those that a message carries.
func (p *page) file(k uint32) *int32 {
	return (*int32)(unsafe.Add(unsafe.Pointer(p), pageHeader+4*uintptr(k)))
}

// newPage returns a page for a message of socket i that carries m's files.
func newPage(i int32, m *message) (uintptr, bool) {
	addr, ok := kernel.Alloc()
	if !ok {
		return 0, false
	}
	p := pageAt(addr)
	p.from = m.from
	p.sender = i
	at(i).refs++
	p.rights = uint32(m.rights)
	for k := range p.rights {
		*p.file(k) = m.files[k]
	}
	p.start = pageHeader + 4*p.rights
	p.end = p.start
	return addr, true
}

// push puts a message of n pages at the end of the queue.
func (s *socket) push(addr uintptr, n int32) {
	if s.first == 0 {
		s.first = addr
	} else {
		pageAt(s.last).next = addr
	}
	s.last = addr
	s.pages += n
	s.messages++
}

// pop takes the first message off the queue and frees its pages. What files it
// still has are closed.
func (s *socket) pop() {
	addr := s.first
	s.first = pageAt(addr).next
	s.messages--
	s.pages -= free(addr)
}

// free frees the pages of a message and returns how many there were.
func free(addr uintptr) int32 {
	p := pageAt(addr)
	for k := range p.rights {
		kernel.Release(*p.file(k))
	}
	return freePages(addr)
}

func freePages(addr uintptr) (n int32) {
	release(pageAt(addr).sender)
	for addr != 0 {
		more := pageAt(addr).more
		kernel.Free(addr)
		addr = more
		n++
	}
	return n
}

// doomed are messages of closed sockets. The files in them may be sockets with
// messages of their own, and so on: they are closed one after the other and not
// one inside the other, however deep.
var (
	doomed  uintptr
	burying bool
)

// discard empties the queue of a socket that is closed.
func discard(s *socket) {
	if s.first == 0 {
		return
	}
	pageAt(s.last).next = doomed
	doomed = s.first
	s.first, s.last, s.pages, s.messages = 0, 0, 0, 0
	if burying {
		return
	}
	burying = true
	for doomed != 0 {
		m := doomed
		doomed = pageAt(m).next
		free(m)
	}
	burying = false
}
