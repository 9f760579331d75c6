package mm

import "syscall"

// The numbers of mmap(2) and madvise(2) that Space understands. The types of
// package syscall are constants here; nothing of it is called.
const (
	mapShared         = syscall.MAP_SHARED
	mapPrivate        = syscall.MAP_PRIVATE
	mapFixed          = syscall.MAP_FIXED
	mapAnonymous      = syscall.MAP_ANONYMOUS
	mapPopulate       = syscall.MAP_POPULATE
	mapFixedNoReplace = 0x100000

	// Flags of nuos, outside of those that Linux has. They exist so that the
	// memory API, which goroutines call, reaches the machine's tables on the
	// same guarded path as the runtime's own memory calls.
	mapDMA    = 1 << 40 // a run of frames, seen in the direct map
	mapDevice = 1 << 41 // addr is a physical address: device registers

	madvNormal, madvRandom, madvSequential, madvWillNeed = 0, 1, 2, 3
	madvDontNeed, madvFree                               = 4, 8
	madvHugePage, madvNoHugePage                         = 14, 15
	madvDontDump, madvDoDump                             = 16, 17
	madvPopulateRead, madvPopulateWrite                  = 22, 23
	madvCollapse                                         = 25
)

const (
	ok        = syscall.Errno(0)
	eNoMem    = syscall.ENOMEM
	eInval    = syscall.EINVAL
	eExist    = syscall.EEXIST
	eAcces    = syscall.EACCES
	eNoDev    = syscall.ENODEV
	eOverflow = syscall.EOVERFLOW
)
