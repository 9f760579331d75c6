package fiber_test

import (
	"math/rand/v2"
	"testing"

	"nuos/proclet/internal/fiber/internal/stress"
)

func TestStress(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	if err := stress.Run(stress.Config{Threads: 4, Rounds: 200, Seed: seed}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d hops", stress.Hops())
}
