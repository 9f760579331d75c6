//go:build metal

package kernel

import "syscall"

// The names of the system (uname(2)).

const nameSize = 65 // of a field of struct utsname

// hostName and domainName end in zeros.
var (
	hostName   = [nameSize]byte{'n', 'u', 'o', 's'}
	domainName = [nameSize]byte{'(', 'n', 'o', 'n', 'e', ')'}
)

const kernelRelease, kernelVersion = "6.1.0-nuos", "#1"

func uname(addr uint64) uint64 {
	var field [nameSize]byte
	for i := range 6 {
		clear(field[:])
		switch i {
		case 0:
			copy(field[:], "Linux")
		case 1:
			field = hostName
		case 2:
			copy(field[:], kernelRelease)
		case 3:
			copy(field[:], kernelVersion)
		case 4:
			copy(field[:], "x86_64")
		case 5:
			field = domainName
		}
		if !CopyOut(uintptr(addr)+uintptr(i)*nameSize, field[:]) {
			return errno(eFAULT)
		}
	}
	return 0
}

// setHostName is sethostname(2) or setdomainname(2).
func setHostName(name *[nameSize]byte, addr, size uint64) uint64 {
	const capAdmin = 21
	switch {
	case !capable(capAdmin):
		return errno(syscall.EPERM)
	case size >= nameSize:
		return errno(eINVAL)
	}
	var n [nameSize]byte
	if !CopyIn(n[:size], uintptr(addr)) {
		return errno(eFAULT)
	}
	*name = n
	return 0
}
