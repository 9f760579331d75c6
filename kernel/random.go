//go:build metal

package kernel

import (
	"math/bits"
	"syscall"
	"unsafe"

	"nuos/kernel/internal/x86"
)

// Random numbers: RDRAND where there is one. Where there is none the kernel
// says so on the console and uses a ChaCha20 stream whose key is the jitter
// between the time stamp counter and the interval timer, which is good enough
// for hash seeds and not for keys.

var random struct {
	hardware bool
	state    [16]uint32
	block    [16]uint32
	used     int
}

func seedRandom() {
	_, _, ecx, _ := x86.CPUID(1, 0)
	random.hardware = ecx>>30&1 != 0
	random.state = [16]uint32{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}
	for i := range 8 {
		var pool uint64
		for range 64 {
			x86.In8(0x40)
			pool = bits.RotateLeft64(pool, 7) ^ x86.ReadTSC()
		}
		random.state[4+i] = uint32(pool) ^ uint32(pool>>32)
	}
	random.used = len(random.block)
	if !random.hardware {
		printString("nuos: warning: the processor has no random numbers; those of this machine can be guessed\n")
	}
}

// randomWord returns 64 random bits.
// Precondition: the kernel's lock is held, or one processor runs.
func randomWord() uint64 {
	if random.hardware {
		for range 10 { // SDM vol. 1, 7.3.17.1: ten tries
			if v, ok := x86.Random(); ok {
				return v
			}
		}
	}
	if random.used+2 > len(random.block) {
		random.block = chacha(random.state)
		random.state[12]++
		random.used = 0
	}
	v := uint64(random.block[random.used]) | uint64(random.block[random.used+1])<<32
	random.used += 2
	return v
}

// chacha is the ChaCha20 block function (RFC 8439, 2.3).
func chacha(in [16]uint32) [16]uint32 {
	x := in
	quarter := func(a, b, c, d int) {
		x[a] += x[b]
		x[d] = bits.RotateLeft32(x[d]^x[a], 16)
		x[c] += x[d]
		x[b] = bits.RotateLeft32(x[b]^x[c], 12)
		x[a] += x[b]
		x[d] = bits.RotateLeft32(x[d]^x[a], 8)
		x[c] += x[d]
		x[b] = bits.RotateLeft32(x[b]^x[c], 7)
	}
	for range 10 {
		for i := range 4 {
			quarter(i, 4+i, 8+i, 12+i)
		}
		for i := range 4 {
			quarter(i, 4+(i+1)%4, 8+(i+2)%4, 12+(i+3)%4)
		}
	}
	for i := range x {
		x[i] += in[i]
	}
	return x
}

// getrandom is getrandom(2), at most a page at a time; callers go on.
func getrandom(addr, n uint64) uint64 {
	n = min(n, 4096)
	for done := uint64(0); done < n; done += 8 {
		w := randomWord()
		if !copyBytes(uintptr(addr+done), uintptr(unsafe.Pointer(&w)), uintptr(min(8, n-done))) {
			return errno(syscall.EFAULT)
		}
	}
	return n
}
