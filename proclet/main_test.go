package proclet

import (
	"os"
	"testing"

	"nuos/mm"
	"nuos/rack"
)

// The examples of the documentation run on a machine of their own, which is the
// one that Current speaks for.
func TestMain(m *testing.M) {
	s := &segment{machines: map[rack.MachineID]*fakeNet{}, locations: map[uint64]rack.Location{}, names: map[string][]byte{}}
	testMachine++
	f := &fakeNet{seg: s, id: testMachine, cache: map[uint64]rack.Location{}, leased: map[mm.Range]bool{}}
	s.machines[f.id] = f
	f.rt = serve(f, 42)
	if do, ok := children[os.Getenv("PROCLET_TEST_CHILD")]; ok {
		do()
		os.Exit(0)
	}
	os.Exit(m.Run())
}
