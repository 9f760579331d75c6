//go:build metal

package kernel

import (
	"syscall"
	"unsafe"

	"nuos/boot"
	"nuos/kernel/internal/entropy"
	"nuos/kernel/internal/x86"
	"nuos/mm"
)

// Random numbers, of what the processor, whoever boots the machine, and drivers give;
// package entropy mixes it. The timing of the start is mixed in as well, and counted for
// nothing.

// random is guarded by the kernel's lock, or used while one processor runs.
var random struct {
	pool    entropy.Pool
	renewed int64 // when the processor was asked last
	warned  bool
}

// seedRandom mixes in what there is before the program starts.
func seedRandom() {
	mixTiming()
	random.pool.MixProcessor()
	mixParameter()
	mixArchive()
	random.renewed = nanotime()
}

// mixTiming mixes in when the machine has started, and how long accesses to a port take.
func mixTiming() {
	var times [64]uint64
	for i := range times {
		x86.In8(0x40)
		times[i] = x86.ReadTSC()
	}
	times[0] ^= uint64(wallTime())
	random.pool.Mix(unsafe.Slice((*byte)(unsafe.Pointer(&times)), unsafe.Sizeof(times)), 0)
}

// mixParameter mixes in the boot parameter random-seed=, and blots it out, so that the program
// does not show it to others. A digit counts for four bits, as if it were hexadecimal.
func mixParameter() {
	const name = "random-seed="
	for w := boot.Machine().Words(); w.Next(); {
		text := w.Text()
		if w.Kind() != boot.Parameter || len(text) < len(name) || string(text[:len(name)]) != name {
			continue
		}
		seed := text[len(name):]
		random.pool.Mix(seed, 4*len(seed))
		for i := range seed {
			seed[i] = '-'
		}
	}
}

// seedFile is the file of the boot archive whose bytes are a seed.
const seedFile = "etc/random-seed"

// mixArchive mixes in the boot archive's seed, and blots it out.
func mixArchive() {
	archive := bootArchive()
	for at := uint64(0); ; {
		e, ok := cpioEntry(archive, at)
		if !ok || e.last {
			return
		}
		at = e.next
		if string(archive[e.name:e.name+e.nameLen]) == seedFile {
			seed := archive[e.data : e.data+e.dataLen]
			random.pool.Mix(seed, 8*len(seed))
			clear(seed)
		}
	}
}

// bootArchive is the boot archive, if there is one.
func bootArchive() []byte {
	a := boot.Machine().Archive
	return unsafe.Slice((*byte)(pointer(uintptr(mm.DirectArea.Base)+uintptr(a.Base))), a.Size)
}

// randomWord returns 64 random bits.
func randomWord() uint64 { return random.pool.Word() }

// getrandom is getrandom(2), at most a page at a time; callers go on.
func getrandom(addr, n uint64) uint64 {
	const renewal = 60e9
	if !random.pool.Seeded() && !random.warned {
		random.warned = true
		printString("nuos: WARNING: the program asks for random numbers, and those of this machine CAN BE GUESSED:\n" +
			"nuos: WARNING: its processor has none, it has no virtio-rng, and nobody gave it a seed. Keys made here are NOT SAFE.\n")
	}
	if now := nanotime(); now-random.renewed > renewal {
		random.renewed = now
		random.pool.MixProcessor()
	}
	n = min(n, mm.PageSize)
	for done := uint64(0); done < n; done += 8 {
		w := randomWord()
		if !copyBytes(uintptr(addr+done), uintptr(unsafe.Pointer(&w)), uintptr(min(8, n-done))) {
			return errno(syscall.EFAULT)
		}
	}
	return n
}

// mixUser mixes in bytes of the program's.
func mixUser(addr, n uint64, bits int) uint64 {
	var piece [64]byte
	for done := uint64(0); done < n; {
		size := min(uint64(len(piece)), n-done)
		if !copyBytes(uintptr(unsafe.Pointer(&piece)), uintptr(addr+done), uintptr(size)) {
			return errno(eFAULT)
		}
		done += size
		if done < n {
			random.pool.Mix(piece[:size], 0)
		} else {
			random.pool.Mix(piece[:size], bits)
		}
	}
	return n
}

// randomControl is ioctl(2) of random(4)'s devices.
func randomControl(op, arg uint64) uint64 {
	const getCount, addEntropy = 0x80045200, 0x40085203
	const capSysAdmin = 21
	switch op {
	case getCount:
		count := uint32(0)
		if random.pool.Seeded() {
			count = entropy.Enough
		}
		if !storeUser32(arg, count) {
			return errno(eFAULT)
		}
		return 0
	case addEntropy:
		// struct rand_pool_info: the bits, the bytes, and these.
		bits, ok := loadUser32(arg)
		size, ok2 := loadUser32(arg + 4)
		switch {
		case !capable(capSysAdmin):
			return errno(syscall.EPERM)
		case !ok || !ok2:
			return errno(eFAULT)
		case int32(bits) < 0 || int32(size) < 0:
			return errno(eINVAL)
		}
		if r := mixUser(arg+8, uint64(min(size, mm.PageSize)), int(min(bits, size*8))); int64(r) < 0 {
			return r
		}
		return 0
	}
	return errno(eINVAL)
}
