//go:build metal

package kernel

import "syscall"

// Who the process is: users, groups and capabilities, with the rules of
// credentials(7) and capabilities(7). They are the process's; on Linux each thread
// has its own, which Go keeps alike. Files are not protected from anybody, see
// package ramfs.

// identity are the user or the group IDs.
type identity struct{ real, effective, saved, files uint32 }

// identityCall makes one of the calls below.
func identityCall(nr, a, b, d uint64) uint64 {
	switch nr {
	case syscall.SYS_GETUID:
		return uint64(users.real)
	case syscall.SYS_GETEUID:
		return uint64(users.effective)
	case syscall.SYS_GETGID:
		return uint64(groups.real)
	case syscall.SYS_GETEGID:
		return uint64(groups.effective)
	case syscall.SYS_GETRESUID:
		return users.getThree(a, b, d)
	case syscall.SYS_GETRESGID:
		return groups.getThree(a, b, d)
	case syscall.SYS_SETUID:
		return users.set(uint32(a), capSetUID)
	case syscall.SYS_SETGID:
		return groups.set(uint32(a), capSetGID)
	case syscall.SYS_SETREUID:
		return users.setTwo(uint32(a), uint32(b), capSetUID)
	case syscall.SYS_SETREGID:
		return groups.setTwo(uint32(a), uint32(b), capSetGID)
	case syscall.SYS_SETRESUID:
		return users.setThree(uint32(a), uint32(b), uint32(d), capSetUID)
	case syscall.SYS_SETRESGID:
		return groups.setThree(uint32(a), uint32(b), uint32(d), capSetGID)
	case syscall.SYS_SETFSUID:
		return users.setFiles(uint32(a), capSetUID)
	case syscall.SYS_SETFSGID:
		return groups.setFiles(uint32(a), capSetGID)
	case syscall.SYS_GETGROUPS:
		return getgroups(int32(a), b)
	case syscall.SYS_SETGROUPS:
		return setgroups(a, b)
	case syscall.SYS_CAPGET:
		return capget(a, b)
	case syscall.SYS_CAPSET:
		return capset(a, b)
	}
	return errno(eNOSYS)
}

// Bits of capability sets (include/uapi/linux/capability.h).
const (
	capSetGID = 6
	capSetUID = 7
	capLast   = 40
	capAll    = 1<<(capLast+1) - 1

	maxGroups = 1024
)

var (
	users, groups identity // root
	supplementary [maxGroups]uint32
	numGroups     uint64

	capabilities = struct {
		effective, permitted, inheritable uint64
		keep                              bool // PR_SET_KEEPCAPS
	}{effective: capAll, permitted: capAll}
)

func capable(bit uint) bool { return capabilities.effective>>bit&1 != 0 }

// noID leaves an ID as it is.
const noID = ^uint32(0)

func (i *identity) has(id uint32) bool {
	return id == i.real || id == i.effective || id == i.saved
}

// setIDs makes n the user or the group IDs.
func (i *identity) setIDs(n identity) {
	old := *i
	*i = n
	c := &capabilities
	switch isRoot := n.real == 0 || n.effective == 0 || n.saved == 0; {
	case i != &users:
		return
	case (old.real == 0 || old.effective == 0 || old.saved == 0) && !isRoot && !c.keep:
		c.permitted, c.effective = 0, 0
	case old.effective == 0 && n.effective != 0:
		c.effective = 0
	case old.effective != 0 && n.effective == 0:
		c.effective = c.permitted
	}
}

// set is setuid(2) or setgid(2).
func (i *identity) set(id uint32, capability uint) uint64 {
	switch {
	case id == noID:
		return errno(eINVAL)
	case capable(capability):
		i.setIDs(identity{id, id, id, id})
	case id == i.real || id == i.saved:
		i.setIDs(identity{i.real, id, i.saved, id})
	default:
		return errno(syscall.EPERM)
	}
	return 0
}

// setTwo is setreuid(2) or setregid(2).
func (i *identity) setTwo(real, effective uint32, capability uint) uint64 {
	n := *i
	if real != noID {
		if !capable(capability) && real != i.real && real != i.effective {
			return errno(syscall.EPERM)
		}
		n.real = real
	}
	if effective != noID {
		if !capable(capability) && !i.has(effective) {
			return errno(syscall.EPERM)
		}
		n.effective = effective
	}
	if real != noID || effective != noID && effective != i.real {
		n.saved = n.effective
	}
	n.files = n.effective
	i.setIDs(n)
	return 0
}

// setThree is setresuid(2) or setresgid(2).
func (i *identity) setThree(real, effective, saved uint32, capability uint) uint64 {
	n := *i
	for k, id := range [...]uint32{real, effective, saved} {
		if id == noID {
			continue
		}
		if !capable(capability) && !i.has(id) {
			return errno(syscall.EPERM)
		}
		switch k {
		case 0:
			n.real = id
		case 1:
			n.effective = id
		case 2:
			n.saved = id
		}
	}
	n.files = n.effective
	i.setIDs(n)
	return 0
}

// setFiles is setfsuid(2) or setfsgid(2), which return what the ID was, also when
// they fail.
func (i *identity) setFiles(id uint32, capability uint) uint64 {
	old := i.files
	if id != noID && (capable(capability) || i.has(id) || id == old) {
		i.files = id
	}
	return uint64(old)
}

// getThree is getresuid(2) or getresgid(2).
func (i *identity) getThree(real, effective, saved uint64) uint64 {
	if !storeUser32(real, i.real) || !storeUser32(effective, i.effective) || !storeUser32(saved, i.saved) {
		return errno(eFAULT)
	}
	return 0
}

func getgroups(size int32, addr uint64) uint64 {
	switch {
	case size < 0 || size != 0 && uint64(size) < numGroups:
		return errno(eINVAL)
	case size == 0:
		return numGroups
	}
	for i := range numGroups {
		if !storeUser32(addr+4*i, supplementary[i]) {
			return errno(eFAULT)
		}
	}
	return numGroups
}

func setgroups(size, addr uint64) uint64 {
	switch {
	case !capable(capSetGID):
		return errno(syscall.EPERM)
	case size > maxGroups:
		return errno(eINVAL)
	}
	for i := range size {
		if _, ok := loadUser32(addr + 4*i); !ok {
			return errno(eFAULT)
		}
	}
	numGroups = size
	for i := range size {
		g, _ := loadUser32(addr + 4*i)
		at := i // they are kept sorted, as Linux shows them
		for ; at > 0 && supplementary[at-1] > g; at-- {
			supplementary[at] = supplementary[at-1]
		}
		supplementary[at] = g
	}
	return 0
}

// capHeader checks struct __user_cap_header_struct, whose version 3 has sets of
// two words. It writes the version where another was asked for.
func capHeader(header uint64) syscall.Errno {
	const version3 = 0x20080522
	version, ok := loadUser32(header)
	pid, ok2 := loadUser32(header + 4)
	switch {
	case !ok || !ok2:
		return eFAULT
	case version != version3:
		if !storeUser32(header, version3) {
			return eFAULT
		}
		return eINVAL
	case pid != 0 && threadAt(int32(pid)) == nil:
		return syscall.ESRCH
	}
	return 0
}

// capget is capget(2): effective, permitted and inheritable capabilities, first
// the low words of all and then the high ones.
func capget(header, data uint64) uint64 {
	if e := capHeader(header); e != 0 {
		if e == eINVAL && data == 0 {
			return 0 // only the version was asked for
		}
		return errno(e)
	}
	if data == 0 {
		return 0
	}
	c := &capabilities
	for i, set := range [...]uint64{c.effective, c.permitted, c.inheritable} {
		at := data + 4*uint64(i)
		if !storeUser32(at, uint32(set)) || !storeUser32(at+12, uint32(set>>32)) {
			return errno(eFAULT)
		}
	}
	return 0
}

func capset(header, data uint64) uint64 {
	if e := capHeader(header); e != 0 {
		return errno(e)
	}
	var sets [3]uint64
	for i := range sets {
		at := data + 4*uint64(i)
		low, ok := loadUser32(at)
		high, ok2 := loadUser32(at + 12)
		if !ok || !ok2 {
			return errno(eFAULT)
		}
		sets[i] = (uint64(high)<<32 | uint64(low)) & capAll
	}
	c := &capabilities
	effective, permitted, inheritable := sets[0], sets[1], sets[2]
	if permitted&^c.permitted != 0 || effective&^permitted != 0 || inheritable&^(c.inheritable|c.permitted) != 0 {
		return errno(syscall.EPERM)
	}
	c.effective, c.permitted, c.inheritable = effective, permitted, inheritable
	return 0
}
