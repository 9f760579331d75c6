package unix

import "syscall"

// message is one call that sends or receives.
type message struct {
	data  vector
	total uintptr // bytes that data has room for
	flags uintptr // MSG_...
	waits bool    // the caller waits where the result is EAGAIN

	name, nameSize uintptr // sending: an address, or 0
	nameSizeAt     uintptr // receiving: where its size goes

	at                   uintptr // of the struct msghdr, 0: there is none
	control, controlSize uintptr
	controlUsed          uintptr // receiving
	outFlags             uint32  // receiving

	from   credentials // sending
	files  [maxRights]int32
	rights int
}

// current is the call that is being made, one at a time; it is too large for the
// stack.
var current message

// self is who every sender is.
var self = credentials{pid: 1}

//go:noinline
func (m *message) reset() {
	m.data, m.total, m.flags = vector{}, 0, 0
	m.name, m.nameSize, m.nameSizeAt = 0, 0, 0
	m.at, m.control, m.controlSize, m.controlUsed, m.outFlags = 0, 0, 0, 0, 0
	m.from, m.rights = self, 0
}

// plain is a message of one range of memory.
func plain(addr, size, flags uintptr) *message {
	m := &current
	m.reset()
	m.data = vector{addr: addr, size: size}
	m.total = min(size, maxTransfer)
	m.flags = flags
	return m
}

// Offsets in struct msghdr (recvmsg(2)).
const (
	msghdrSize     = 56
	msghdrNameSize = 8
	msghdrControl  = 40 // its size
	msghdrFlags    = 48
)

// loadMessage reads the struct msghdr at addr.
func loadMessage(addr, flags uintptr) (*message, syscall.Errno) {
	m := &current
	m.reset()
	if !load(addr, msghdrSize) {
		return m, eFAULT
	}
	m.at, m.flags = addr, flags
	m.name, m.nameSize = uintptr(scratch64(0)), uintptr(scratch32(8))
	m.nameSizeAt = addr + msghdrNameSize
	vec, n := uintptr(scratch64(16)), uintptr(scratch64(24))
	m.control, m.controlSize = uintptr(scratch64(32)), uintptr(scratch64(40))
	if m.control == 0 {
		m.controlSize = 0
	}
	var e syscall.Errno
	m.total, e = m.data.setArray(vec, n)
	return m, e
}

// finish stores what recvmsg(2) says besides the data. One flag it only gives back.
func (m *message) finish() bool {
	flags := m.outFlags | uint32(m.flags&syscall.MSG_CMSG_CLOEXEC)
	return m.at == 0 || store64(m.at+msghdrControl, uint64(m.controlUsed)) && store32(m.at+msghdrFlags, flags)
}

// drop gives back the files of a message that is not sent.
func (m *message) drop() {
	for k := range m.rights {
		kernel.Release(m.files[k])
	}
	m.rights = 0
}
