package proclet

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

// A name holds its proclet until it is unbound, by one of those who try, or the proclet is destroyed.
func TestUnbind(t *testing.T) {
	_, rts := newSegment(t, 2)
	a, b := rts[0].Current(), rts[1].Current()
	for i := range 3 {
		ref := mustNew[keeper](t, a, Options{})
		if err := Bind(b, "name", ref); err != nil {
			t.Fatal(err)
		}
		wantHolders(t, rts, ref.id, 2)
		if err := Bind(a, "name", ref); err != nil {
			t.Fatal(err)
		}
		wantHolders(t, rts, ref.id, 2)
		other := mustNew[keeper](t, a, Options{})
		if err := Bind(a, "name", other); !errors.Is(err, ErrNameTaken) {
			t.Errorf("Bind of a name that is taken: %v", err)
		}
		wantHolders(t, rts, other.id, 1)
		Release(a, other)
		if err := Release(a, ref); err != nil {
			t.Fatal(err)
		}
		wantHolders(t, rts, ref.id, 1)
		got, err := Lookup[keeper](b, "name")
		if err != nil || got != ref {
			t.Fatal(got, err)
		}
		wantHolders(t, rts, ref.id, 2)
		if _, err := Lookup[counter](b, "name"); !errors.Is(err, ErrType) {
			t.Errorf("Lookup with another type: %v", err)
		}
		if i == 1 { // a name goes with its proclet as well
			if err := Destroy(b, got); err != nil {
				t.Fatal(err)
			}
		} else {
			var done atomic.Int64
			var wg sync.WaitGroup
			for _, th := range []*Thread{a, b, a, b} {
				wg.Go(func() {
					switch err := Unbind(th, "name"); {
					case err == nil:
						done.Add(1)
					case !errors.Is(err, ErrNoName):
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if done.Load() != 1 {
				t.Errorf("%d have unbound the name", done.Load())
			}
			wantHolders(t, rts, ref.id, 1)
		}
		Release(b, got)
		wantHolders(t, rts, ref.id, 0)
		if _, err := Lookup[keeper](a, "name"); !errors.Is(err, ErrNoName) {
			t.Errorf("Lookup after Unbind: %v", err)
		}
		if err := Unbind(a, "name"); !errors.Is(err, ErrNoName) {
			t.Errorf("second Unbind: %v", err)
		}
	}
}
