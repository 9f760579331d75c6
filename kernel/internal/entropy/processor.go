package entropy

import (
	"encoding/binary"

	"nuos/kernel/internal/x86"
)

// MixProcessor mixes in what the processor has: enough from RDSEED, and enough from
// RDRAND, for a processor may have either.
func (p *Pool) MixProcessor() {
	const leafMost, leafFeatures, leafMore = 0, 1, 7
	const haveRandom, haveSeed = 1 << 30, 1 << 18
	if most, _, _, _ := x86.CPUID(leafMost, 0); most >= leafMore {
		if _, features, _, _ := x86.CPUID(leafMore, 0); features&haveSeed != 0 {
			p.mixInstruction(true)
		}
	}
	if _, _, features, _ := x86.CPUID(leafFeatures, 0); features&haveRandom != 0 {
		p.mixInstruction(false)
	}
}

// mixInstruction mixes in eight words of one of the instructions. It counts if none failed
// ten times in a row (SDM vol. 1, 7.3.17.1) and none was the same as the one before, which
// is how such instructions break.
func (p *Pool) mixInstruction(seed bool) {
	const words, tries = 8, 10
	var b [words * 8]byte
	last, bits := uint64(0), Enough
	for i := range words {
		v, ok := uint64(0), false
		for n := 0; !ok && n < tries; n++ {
			if seed {
				v, ok = x86.Seed()
			} else {
				v, ok = x86.Random()
			}
			if !ok {
				x86.Pause()
			}
		}
		if !ok || i > 0 && v == last {
			bits = 0
		}
		last = v
		binary.LittleEndian.PutUint64(b[i*8:], v)
	}
	p.Mix(b[:], bits)
}
