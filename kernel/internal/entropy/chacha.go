package entropy

import "math/bits"

// chacha is the ChaCha20 block function (RFC 8439, 2.3).
func chacha(key *[8]uint32, counter uint32, nonce *[3]uint32, out *[16]uint32) {
	in := [16]uint32{0x61707865, 0x3320646E, 0x79622D32, 0x6B206574}
	copy(in[4:12], key[:])
	in[12] = counter
	copy(in[13:], nonce[:])
	*out = in
	for range 10 {
		for i := range 4 {
			quarter(out, i, 4+i, 8+i, 12+i)
		}
		for i := range 4 {
			quarter(out, i, 4+(i+1)%4, 8+(i+2)%4, 12+(i+3)%4)
		}
	}
	for i := range out {
		out[i] += in[i]
	}
}

// quarter is the quarter round (RFC 8439, 2.1).
func quarter(x *[16]uint32, a, b, c, d int) {
	x[a] += x[b]
	x[d] = bits.RotateLeft32(x[d]^x[a], 16)
	x[c] += x[d]
	x[b] = bits.RotateLeft32(x[b]^x[c], 12)
	x[a] += x[b]
	x[d] = bits.RotateLeft32(x[d]^x[a], 8)
	x[c] += x[d]
	x[b] = bits.RotateLeft32(x[b]^x[c], 7)
}
