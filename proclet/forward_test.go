package proclet

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"nuos/rack"
)

// A machine calls a proclet that passes a Ref on to a third machine and returns it. All
// three proclets move while one of the messages is on its way, so that it arrives where
// its proclet was before. Each call is executed once, and whoever has the Ref is counted.
func TestMoveRacesWithThirdPartyForward(t *testing.T) {
	needMoves(t)
	for _, what := range []string{"call", "answer"} {
		for hop := range 2 {
			t.Run(fmt.Sprint(what, hop), func(t *testing.T) {
				s, rts := newSegment(t, 4)
				th := rts[0].Current()
				first := mustNew[keeper](t, th, Options{On: rts[1].self})
				third := mustNew[keeper](t, th, Options{On: rts[2].self})
				passed := mustNew[keeper](t, th, Options{On: rts[1].self})
				moveAll := func() {
					for _, ref := range []Ref[keeper]{first, third, passed} {
						from := ownerOf(t, nil, ref.id)
						move(t, from, rts[(slices.Index(rts, from)+1)%len(rts)], ref.id)
					}
				}
				var once sync.Once
				s.around = func(_, _ rack.MachineID, msg []byte, deliver func() []byte) (answer []byte, err error) {
					if msg[0] != messageCall {
						return deliver(), nil
					}
					if m, err := (&decoder{msg[1:]}).call(nil); err != nil || m.id != []Ref[keeper]{first, third}[hop].id {
						return deliver(), nil
					}
					if what == "call" {
						once.Do(moveAll)
					}
					answer = deliver()
					if what == "answer" {
						once.Do(moveAll)
					}
					return answer, nil
				}
				f := Go(th, first, (*keeper).Pass, pass{Via: []Ref[keeper]{third}, Ref: passed, Put: keep{Slot: 5}})
				waitFor(t, "the answer", func() bool {
					select {
					case <-f.Done():
						return true
					default:
						return false
					}
				})
				if got, err := f.Wait(th); err != nil || got != passed {
					t.Errorf("%v, %v", got.id, err)
				}
				for _, ref := range []Ref[keeper]{first, third, passed} {
					i, err := ownerOf(t, nil, ref.id).Info(ref.id)
					want := uint64(1)
					if ref == passed {
						want = 0
					}
					if err != nil || i.Calls != want || i.Moves != 1 {
						t.Errorf("%d calls of %d, %d moves, %v", i.Calls, want, i.Moves, err)
					}
				}
				wantHolders(t, rts, passed.id, 3) // ours, the third's, and what has been returned
			})
		}
	}
}
