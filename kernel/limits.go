//go:build metal

package kernel

import (
	"syscall"
	"unsafe"

	"nuos/mm"
)

// What the process may use, and what it has used.

// unlimited is RLIM_INFINITY.
const unlimited = ^uint64(0)

// rlimit is struct rlimit64.
type rlimit struct{ soft, hard uint64 }

const numLimits = 16 // RLIM_NLIMITS

// openHard is the hard limit on descriptors; openLimit is the soft one.
var openHard int32 = maxFDs

// coreLimit is RLIMIT_CORE, which no core file will ever exceed.
var coreLimit = rlimit{0, unlimited}

// limitOf is the limit on a resource: descriptors are limited, and there are no
// core files, stacks that grow, or locked pages beyond what there is anyhow.
func limitOf(resource uint64) rlimit {
	switch resource {
	case syscall.RLIMIT_NOFILE:
		return rlimit{uint64(openLimit), uint64(openHard)}
	case syscall.RLIMIT_CORE:
		return coreLimit
	}
	return rlimit{unlimited, unlimited}
}

// prlimit is prlimit64(2). A limit that nothing would enforce cannot be set: EPERM.
func prlimit(pid int32, resource, set, get uint64) uint64 {
	switch {
	case pid != 0 && pid != processID:
		return errno(syscall.ESRCH)
	case resource >= numLimits:
		return errno(eINVAL)
	}
	old := limitOf(resource)
	if set != 0 {
		var n rlimit
		if !copyBytes(uintptr(unsafe.Pointer(&n)), uintptr(set), unsafe.Sizeof(n)) {
			return errno(eFAULT)
		}
		switch {
		case n.soft > n.hard:
			return errno(eINVAL)
		case n == old:
		case resource == syscall.RLIMIT_CORE:
			coreLimit = n
		case resource != syscall.RLIMIT_NOFILE || n.hard > maxFDs:
			return errno(syscall.EPERM)
		default:
			openLimit, openHard = int32(n.soft), int32(n.hard)
		}
	}
	if get != 0 && !copyBytes(uintptr(get), uintptr(unsafe.Pointer(&old)), unsafe.Sizeof(old)) {
		return errno(eFAULT)
	}
	return 0
}

// peakPages is the most memory of the process that anybody was told of.
var peakPages uint64

// residentPages is how much memory the process has.
func residentPages() uint64 {
	u := space().Usage()
	n := u.Program + u.Heaps + u.DMA
	peakPages = max(peakPages, n)
	return n
}

// getrusage is getrusage(2). All processor time counts as the program's, system
// calls included, as one clock counts both.
func getrusage(t *thread, who int32, addr uint64) uint64 {
	const self, children, thread = 0, -1, 1
	thisCPU().account(t, nanotime())
	var r syscall.Rusage
	switch who {
	case self:
		residentPages()
		r.Utime = syscall.NsecToTimeval(processTime())
		r.Maxrss = int64(peakPages * mm.PageSize / 1024)
		r.Minflt = int64(counted(eventFault))
		r.Nvcsw = int64(counted(eventSwitch))
	case thread:
		r.Utime = syscall.NsecToTimeval(t.used)
	case children:
	default:
		return errno(eINVAL)
	}
	if !copyBytes(uintptr(addr), uintptr(unsafe.Pointer(&r)), unsafe.Sizeof(r)) {
		return errno(eFAULT)
	}
	return 0
}

// ticks is a time in the unit of times(2) and /proc, USER_HZ, 10 ms.
func ticks(ns int64) uint64 { return uint64(ns) / 10e6 }

func times(t *thread, addr uint64) uint64 {
	thisCPU().account(t, nanotime())
	spent := [4]uint64{ticks(processTime())} // user; system, and both of children
	if addr != 0 && !copyBytes(uintptr(addr), uintptr(unsafe.Pointer(&spent)), unsafe.Sizeof(spent)) {
		return errno(eFAULT)
	}
	return ticks(nanotime())
}

// sysinfo is sysinfo(2). Averages of the load are not kept.
func sysinfo(addr uint64) uint64 {
	u := space().Usage()
	s := syscall.Sysinfo_t{
		Uptime: nanotime() / 1e9, Procs: uint16(numThreads), Unit: 1,
		Totalram: u.Total * mm.PageSize, Freeram: u.Free * mm.PageSize,
	}
	if !copyBytes(uintptr(addr), uintptr(unsafe.Pointer(&s)), unsafe.Sizeof(s)) {
		return errno(eFAULT)
	}
	return 0
}

// getpriority is getpriority(2), which returns 20 less the nice value: all threads
// are alike. setpriority can only say so too.
func getpriority(which, who uint64) uint64 {
	if which > 2 {
		return errno(eINVAL)
	}
	if int32(who) != 0 && (which != 0 || threadAt(int32(who)) == nil) {
		return errno(syscall.ESRCH)
	}
	return 20
}

func setpriority(which, who, nice uint64) uint64 {
	if r := getpriority(which, who); int64(r) < 0 {
		return r
	}
	if int32(nice) != 0 {
		return errno(syscall.EPERM)
	}
	return 0
}

// processorBits has one bit for each processor that is up.
func processorBits() uint64 {
	if numCPUs < 64 {
		return 1<<uint(numCPUs) - 1
	}
	return ^uint64(0)
}

// getcpu is getcpu(2).
func getcpu(c *cpu, cpuAt, nodeAt uint64) uint64 {
	if cpuAt != 0 && !storeUser32(cpuAt, uint32(c.id)) || nodeAt != 0 && !storeUser32(nodeAt, 0) {
		return errno(eFAULT)
	}
	return 0
}
