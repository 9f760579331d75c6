package entropy

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"testing"
)

// digest is hash with bytes.
func digest(key, data []byte) []byte {
	var words [8]uint32
	padded := make([]byte, 32)
	copy(padded, key)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(padded[i*4:])
	}
	var b []byte
	for _, w := range hash(&words, len(key), data) {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// TestHash has RFC 7693's example (appendix B) and vectors of BLAKE2's authors
// (blake2s-kat, key 00 01 ... 1f, input 00 01 ... of the size).
func TestHash(t *testing.T) {
	count := make([]byte, 300)
	for i := range count {
		count[i] = byte(i)
	}
	for _, c := range []struct {
		key, data []byte
		want      string
	}{
		{nil, []byte("abc"), "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"},
		{nil, nil, "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9"},
		{count[:32], nil, "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49"},
		{count[:32], count[:1], "40d15fee7c328830166ac3f918650f807e7e01e177258cdc0a39b11f598066f1"},
		{count[:32], count[:255], "3fb735061abc519dfe979e54c1ee5bfad0a9d858b3315bad34bde999efd724dd"},
	} {
		if got := hex.EncodeToString(digest(c.key, c.data)); got != c.want {
			t.Errorf("%d bytes with a key of %d: %s, want %s", len(c.data), len(c.key), got, c.want)
		}
	}
}

// TestChaCha is the example of RFC 8439, 2.3.2.
func TestChaCha(t *testing.T) {
	var key [8]uint32
	for i := range key {
		key[i] = 0x03020100 + uint32(i)*0x04040404
	}
	var got [16]uint32
	chacha(&key, 1, &[3]uint32{0x09000000, 0x4A000000, 0}, &got)
	want := [16]uint32{
		0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3, 0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
		0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9, 0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2,
	}
	if got != want {
		t.Errorf("%x, want %x", got, want)
	}
}

// TestMixing has pools that differ in one source, whatever the others say before and after,
// and wants them to have nothing in common.
func TestMixing(t *testing.T) {
	said := [][]byte{make([]byte, 64), []byte("a seed"), {}, make([]byte, 200)}
	var reference Pool
	for _, s := range said {
		reference.Mix(s, 0)
	}
	base := make([]uint64, 100)
	for i := range base {
		base[i] = reference.Word()
	}
	for i := range said {
		for _, change := range []func([]byte) []byte{
			func(b []byte) []byte { return append(append([]byte{}, b...), 0) },
			func(b []byte) []byte {
				b = append([]byte{}, b...)
				if len(b) > 0 {
					b[len(b)-1] ^= 1
				}
				return b
			},
		} {
			var p Pool
			changed := false
			for j, s := range said {
				if j == i {
					c := change(s)
					changed = string(c) != string(s)
					s = c
				}
				p.Mix(s, 0)
			}
			if !changed {
				continue
			}
			same := 0
			for _, want := range base {
				same += 64 - bits.OnesCount64(p.Word()^want)
			}
			if same < 3000 || same > 3400 { // of 6400; the deviation is 40
				t.Errorf("source %d: %d of 6400 bits are the same", i, same)
			}
		}
	}
}

// TestErasure wants numbers to differ, and the state to have nothing of those that were
// handed out, nor what would make them again.
func TestErasure(t *testing.T) {
	var p Pool
	p.Mix([]byte("a source"), Enough)
	seen := map[uint64]bool{}
	for range 1000 {
		before := p
		w := p.Word()
		if seen[w] {
			t.Fatalf("%#x comes twice", w)
		}
		seen[w] = true
		low, high := uint32(w), uint32(w>>32)
		for _, block := range p.stream {
			for _, v := range block {
				if v == low || v == high {
					t.Fatalf("%#x is kept", w)
				}
			}
		}
		if before.used == 0 || before.used == blocks*16 {
			if p.key == before.key {
				t.Fatal("the key that made the stream is kept")
			}
		}
	}
}

// TestStream compares the numbers with the block function.
func TestStream(t *testing.T) {
	var p Pool
	p.Mix([]byte("a source"), 0)
	key := hash(new([8]uint32), 32, []byte("a source"))
	for range 3 {
		var stream []uint32
		for i := range uint32(blocks) {
			var b [16]uint32
			chacha(&key, i, new([3]uint32), &b)
			stream = append(stream, b[:]...)
		}
		copy(key[:], stream)
		for stream = stream[8:]; len(stream) > 0; stream = stream[2:] {
			if got, want := p.Word(), uint64(stream[1])<<32|uint64(stream[0]); got != want {
				t.Fatalf("%#x, want %#x", got, want)
			}
		}
	}
}

func TestSeeded(t *testing.T) {
	var p Pool
	for range 10 {
		p.Mix(make([]byte, 100), Enough-1)
	}
	if p.Seeded() {
		t.Error("pieces count together")
	}
	p.Mix([]byte{1}, Enough)
	if p.Mix(nil, 0); !p.Seeded() {
		t.Error("a source of 256 bits is not enough")
	}
}
