//go:build metal

package kernel

// prctl(2), as far as something stands behind the answer.

// attributes are what prctl sets and only prctl and /proc tell.
var attributes = struct {
	dumpable, noNewPrivileges uint64
	parentSignal              uint64 // the one process has no parent that might die
}{dumpable: 1}

func prctl(t *thread, op, arg, a, b, d uint64) uint64 {
	const (
		setParentSignal, getParentSignal = 1, 2
		getDumpable, setDumpable         = 3, 4
		getKeepCaps, setKeepCaps         = 7, 8
		setName, getName                 = 15, 16
		readBounding                     = 23
		setNoNewPrivs, getNoNewPrivs     = 38, 39
		setVMA                           = 0x53564d41
	)
	switch op {
	case setParentSignal:
		if arg > 64 {
			return errno(eINVAL)
		}
		attributes.parentSignal = arg
	case getParentSignal:
		if !storeUser32(arg, uint32(attributes.parentSignal)) {
			return errno(eFAULT)
		}
	case getDumpable:
		return attributes.dumpable
	case setDumpable:
		if arg > 1 {
			return errno(eINVAL)
		}
		attributes.dumpable = arg
	case getKeepCaps:
		if capabilities.keep {
			return 1
		}
	case setKeepCaps:
		if arg > 1 {
			return errno(eINVAL)
		}
		capabilities.keep = arg == 1
	case setName:
		var name [len(t.name)]byte
		for i := range name[:len(name)-1] {
			if !CopyIn(name[i:i+1], uintptr(arg)+uintptr(i)) {
				return errno(eFAULT)
			}
			if name[i] == 0 {
				break
			}
		}
		t.name = name
	case getName:
		if !CopyOut(uintptr(arg), t.name[:]) {
			return errno(eFAULT)
		}
	case readBounding:
		if arg > capLast {
			return errno(eINVAL)
		}
		return 1
	case setNoNewPrivs:
		if arg != 1 {
			return errno(eINVAL)
		}
		attributes.noNewPrivileges = 1
	case getNoNewPrivs:
		return attributes.noNewPrivileges
	case setVMA:
		return nameMapping(arg, a, b, d)
	default:
		return errno(eINVAL)
	}
	return 0
}
