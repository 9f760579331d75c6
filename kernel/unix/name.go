package unix

import "syscall"

// Addresses are struct sockaddr_un: the family, then a path that ends with a zero
// byte, or, if it begins with one, a name of its own name space in which every
// byte counts. No path at all is the address of a socket that has none.

const (
	maxName    = 108
	sockaddrUn = 2 + maxName
)

// Addresses that are being looked at; one is enough, as calls are made one at a
// time.
var (
	given    [maxName]byte
	givenLen int32
)

// loadName reads the address at addr into given.
func loadName(addr, size uintptr) syscall.Errno {
	if size < 2 || size > sockaddrUn {
		return eINVAL
	}
	if !load(addr, size) {
		return eFAULT
	}
	if family := scratch32(0) & 0xffff; family != syscall.AF_UNIX {
		return eINVAL
	}
	givenLen = int32(copy(given[:], scratch[2:size]))
	if givenLen > 0 && given[0] != 0 {
		for i, b := range given[:givenLen] {
			if b == 0 {
				givenLen = int32(i)
				break
			}
		}
	}
	return 0
}

// storeName stores the name of s at addr, whose room is the 32-bit word at
// sizeAt, and there how long it is, as getsockname(2) does: what does not fit is
// cut off. A zero addr asks for nothing.
func storeName(name []byte, addr, sizeAt uintptr) syscall.Errno {
	if addr == 0 {
		return 0
	}
	room, ok := load32(sizeAt)
	if !ok {
		return eFAULT
	}
	if int32(room) < 0 {
		return eINVAL
	}
	scratch[0], scratch[1] = syscall.AF_UNIX, 0
	size := uint32(2 + copy(scratch[2:], name))
	if len(name) > 0 && name[0] != 0 {
		scratch[size] = 0 // a path, which ends with a zero byte
		size++
	}
	if !store(addr, uintptr(min(room, size))) || !store32(sizeAt, size) {
		return eFAULT
	}
	return 0
}

func (s *socket) ownName() []byte { return s.name[:s.nameLen] }

// setName copies given.
func (s *socket) setName() { s.nameLen = int32(copy(s.name[:], given[:givenLen])) }

// findName returns the socket of the name in given.
// Each kind of socket has an abstract name space of its own.
func (s *socket) findName() (int32, syscall.Errno) {
	if givenLen == 0 {
		return 0, eINVAL
	}
	if given[0] != 0 {
		o, e := kernel.Find(given[:givenLen])
		return int32(o) + 1, e
	}
	if i := abstract(s.kind); i != 0 {
		return i, 0
	}
	return 0, syscall.ECONNREFUSED
}

// abstract returns the open socket whose name of the abstract kind is given.
func abstract(kind uint8) int32 {
	for i := range sockets {
		s := &sockets[i]
		if s.kind == kind && s.state != closed && s.nameLen == givenLen && s.owner &&
			string(s.name[:s.nameLen]) == string(given[:givenLen]) {
			return int32(i) + 1
		}
	}
	return 0
}

var lastAutomatic uint32

// bind is bind(2).
func (s *socket) bind(i int32, addr, size uintptr) syscall.Errno {
	if e := loadName(addr, size); e != 0 {
		return e
	}
	switch {
	case s.nameLen != 0 && givenLen == 0:
		return 0
	case s.nameLen != 0:
		if given[0] != 0 {
			if _, e := kernel.Find(given[:givenLen]); e == 0 || e == syscall.ECONNREFUSED {
				return syscall.EADDRINUSE
			}
		}
		return eINVAL
	case givenLen == 0:
		return s.bindAny()
	case given[0] == 0:
		if abstract(s.kind) != 0 {
			return syscall.EADDRINUSE
		}
	default:
		node, e := kernel.Bind(given[:givenLen], int(i-1))
		if e != 0 {
			return e
		}
		s.node = node
	}
	s.owner = true
	s.setName()
	return 0
}

// bindAny gives s an abstract name that nobody has: a zero byte and five
// hexadecimal digits.
func (s *socket) bindAny() syscall.Errno {
	const names = 1 << 20
	for range names {
		lastAutomatic = (lastAutomatic + 1) % names
		given[0], givenLen = 0, 6
		for k := range 5 {
			given[5-k] = "0123456789abcdef"[lastAutomatic>>(4*k)&15]
		}
		if abstract(s.kind) == 0 {
			s.owner = true
			s.setName()
			return 0
		}
	}
	return syscall.ENOSPC
}
