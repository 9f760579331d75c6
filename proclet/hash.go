package proclet

import (
	"encoding/binary"
	"math/bits"
)

// Hash returns a 64-bit hash of s. It is the same on every machine and for
// every build of the same release, so that it can say which of several proclets
// a key belongs to. It is no protection against keys that are chosen to collide.
func Hash(s string) uint64 { return hashBytes(s, 0) }

// hashBytes hashes with 64x64 to 128 bit multiplications, the way of wyhash: 16
// bytes at a time are mixed with odd constants that have half of their bits set.
func hashBytes[B string | []byte](s B, seed uint64) uint64 {
	const (
		k0 = 0x9e3779b97f4a7c15
		k1 = 0xd6e8feb86659fd93
		k2 = 0xa0761d6478bd642f
	)
	n := uint64(len(s))
	h := seed ^ k0
	for len(s) > 16 {
		h = mix(word(s)^k1, word(s[8:])^h)
		s = s[16:]
	}
	var a, b uint64
	switch {
	case len(s) >= 8:
		a, b = word(s), word(s[len(s)-8:])
	case len(s) >= 4:
		a, b = uint64(half(s)), uint64(half(s[len(s)-4:]))
	case len(s) > 0:
		a = uint64(s[0])<<16 | uint64(s[len(s)/2])<<8 | uint64(s[len(s)-1])
	}
	return mix(k2^n, mix(a^k1, b^h))
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func word[B string | []byte](s B) uint64 { return binary.LittleEndian.Uint64([]byte(s[:8])) }
func half[B string | []byte](s B) uint32 { return binary.LittleEndian.Uint32([]byte(s[:4])) }
