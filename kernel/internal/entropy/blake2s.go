package entropy

import (
	"encoding/binary"
	"math/bits"
)

// BLAKE2s with a key and a digest of 32 bytes (RFC 7693).

const blockSize = 64

var initial = [8]uint32{
	0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
}

// schedule is the order of the message's words in each round (2.7).
var schedule = [10][16]uint8{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
	{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
	{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
	{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
	{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
	{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
	{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
	{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
	{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
}

// hash is the digest of data, keyed with the first keySize bytes of key, which may be none.
func hash(key *[8]uint32, keySize int, data []byte) (h [8]uint32) {
	h = initial
	h[0] ^= 0x0101_0000 | uint32(keySize)<<8 | 32
	var block [blockSize]byte
	total := uint64(0)
	if keySize > 0 {
		for i, w := range key {
			binary.LittleEndian.PutUint32(block[i*4:], w)
		}
		clear(block[keySize:])
		total = blockSize
		compress(&h, &block, total, len(data) == 0)
		if len(data) == 0 {
			return h
		}
	}
	for len(data) > blockSize {
		copy(block[:], data[:blockSize])
		data = data[blockSize:]
		total += blockSize
		compress(&h, &block, total, false)
	}
	clear(block[copy(block[:], data):])
	compress(&h, &block, total+uint64(len(data)), true)
	return h
}

// compress is the function F (3.2).
func compress(h *[8]uint32, block *[blockSize]byte, total uint64, last bool) {
	var m, v [16]uint32
	for i := range m {
		m[i] = binary.LittleEndian.Uint32(block[i*4:])
	}
	for i := range h {
		v[i], v[8+i] = h[i], initial[i]
	}
	v[12] ^= uint32(total)
	v[13] ^= uint32(total >> 32)
	if last {
		v[14] = ^v[14]
	}
	for i := range schedule {
		s := &schedule[i]
		for j := range 4 {
			mix(&v, j, 4+j, 8+j, 12+j, m[s[2*j]], m[s[2*j+1]])
		}
		for j := range 4 {
			mix(&v, j, 4+(j+1)%4, 8+(j+2)%4, 12+(j+3)%4, m[s[8+2*j]], m[s[8+2*j+1]])
		}
	}
	for i := range h {
		h[i] ^= v[i] ^ v[8+i]
	}
}

// mix is the function G (3.1).
func mix(v *[16]uint32, a, b, c, d int, x, y uint32) {
	v[a] += v[b] + x
	v[d] = bits.RotateLeft32(v[d]^v[a], -16)
	v[c] += v[d]
	v[b] = bits.RotateLeft32(v[b]^v[c], -12)
	v[a] += v[b] + y
	v[d] = bits.RotateLeft32(v[d]^v[a], -8)
	v[c] += v[d]
	v[b] = bits.RotateLeft32(v[b]^v[c], -7)
}
