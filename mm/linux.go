package mm

import "syscall"

// The numbers of mmap(2) and madvise(2) that Space understands. The types of
// package syscall are constants here; nothing of it is called.
const (
	mapShared         = syscall.MAP_SHARED
	mapPrivate        = syscall.MAP_PRIVATE
	mapSharedValidate = 3
	mapType           = 15
	mapNoReserve      = syscall.MAP_NORESERVE
	mapHugeTLB        = syscall.MAP_HUGETLB
	mapFixed          = syscall.MAP_FIXED
	mapAnonymous      = syscall.MAP_ANONYMOUS
	mapPopulate       = syscall.MAP_POPULATE
	mapFixedNoReplace = 0x100000

	// Flags of nuos, outside of those that Linux has. They exist so that the
	// memory API, which goroutines call, reaches the machine's tables on the
	// same guarded path as the runtime's own memory calls.
	mapDMA    = 1 << 40 // a run of frames, seen in the direct map
	mapDevice = 1 << 41 // addr is a physical address: device registers
	mapUsed   = 1 << 42 // part of a heap that is overwritten at once: anything may be in it
	mapWatch  = 1 << 43 // part of a heap that is mapped: watch what is written

	remapMayMove   = 1
	remapFixed     = 2
	remapDontUnmap = 4
)

// Advice of madvise(2).
const (
	madvNormal         = 0
	madvRandom         = 1
	madvSequential     = 2
	madvWillNeed       = 3
	madvDontNeed       = 4
	madvFree           = 8
	madvRemove         = 9
	madvDontFork       = 10
	madvDoFork         = 11
	madvMergeable      = 12
	madvUnmergeable    = 13
	madvHugePage       = 14
	madvNoHugePage     = 15
	madvDontDump       = 16
	madvDoDump         = 17
	madvWipeOnFork     = 18
	madvKeepOnFork     = 19
	madvCold           = 20
	madvPageOut        = 21
	madvPopulateRead   = 22
	madvPopulateWrite  = 23
	madvDontNeedLocked = 24
	madvCollapse       = 25
)

const (
	ok        = syscall.Errno(0)
	ePerm     = syscall.EPERM
	eBadF     = syscall.EBADF
	eFault    = syscall.EFAULT
	eNoMem    = syscall.ENOMEM
	eInval    = syscall.EINVAL
	eExist    = syscall.EEXIST
	eAcces    = syscall.EACCES
	eNoDev    = syscall.ENODEV
	eOverflow = syscall.EOVERFLOW

	eOpNotSupp = syscall.EOPNOTSUPP
)
