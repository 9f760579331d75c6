//go:build !metal

package link

import (
	"math/rand/v2"
	"testing"
)

// TestHeadsBeginLines puts heads of all sizes into a ring, of which the peer is done with some now
// and then: each begins a cache line, and none lies where one is that may still be read.
func TestHeadsBeginLines(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	dice := rand.New(rand.NewPCG(seed, 1))
	var p producer
	memory := make([]byte, endSize)
	p.end, p.bytes = endAt(memory), memory[bytesAt:]
	bounds := func(d descriptor) (from, to uint64) { return d.addr, d.addr + uint64(d.len) }
	most := 0
	for range 20_000 {
		head := make([]byte, ethernetHeader+dice.IntN(9000))
		for !p.put(head, nil) {
			live := p.tail - p.done
			most = max(most, int(live))
			if live == 0 || !p.reap(p.done+1+uint32(dice.IntN(int(live)))) {
				t.Fatalf("no room for %d bytes beside %d packets", len(head), live)
			}
		}
		from, to := bounds(p.descriptors[(p.tail-1)%entries])
		if from%cacheLine != 0 || to > ringBytes {
			t.Fatalf("a head lies at %d to %d", from, to)
		}
		for i := p.done; i != p.tail-1; i++ {
			if f, e := bounds(p.descriptors[i%entries]); from < e && f < to {
				t.Fatalf("a head at %d to %d, where %d to %d may still be read", from, to, f, e)
			}
		}
	}
	if most < 100 {
		t.Errorf("the ring was never fuller than %d packets", most)
	}
}
