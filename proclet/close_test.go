package proclet

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"nuos/mm"
)

// ender is a state type whose Close does something.
type ender struct {
	what  String
	other Ref[keeper]
	list  Slice[Ref[keeper]]
}

func (e *ender) Init(t *Thread, a enderInit) (struct{}, error) {
	if err := e.list.Append(t, a.Other); err != nil {
		return struct{}{}, err
	}
	if err := e.other.Set(t, a.Other); err != nil {
		return struct{}{}, err
	}
	return struct{}{}, e.what.Set(t, a.What)
}

type enderInit struct {
	What  string
	Other Ref[keeper]
}

func (e *ender) Block(t *Thread, _ struct{}) (struct{}, error) {
	_, err := Call(t, e.other, (*keeper).Wait, struct{}{})
	return struct{}{}, err
}

func (e *ender) Close(t *Thread) {
	switch e.what.String() {
	case "panic":
		panic("in Close")
	case "exit":
		runtime.Goexit()
	case "call":
		made, err := New[keeper](t, Options{Capacity: 64 << 10})
		if err == nil {
			_, err = Call(t, e.other, (*keeper).Put, keep{Slot: 3, Ref: made})
		}
		if err != nil {
			panic(err)
		}
	}
}

func (k *keeper) Wait(t *Thread, _ struct{}) (struct{}, error) {
	k.mu.Lock(t)
	k.mu.Unlock(t)
	return struct{}{}, nil
}

func TestClose(t *testing.T) {
	for _, what := range []string{"", "panic", "exit", "call"} {
		for _, how := range []string{"release", "destroy"} {
			t.Run(fmt.Sprintf("%s %s", what, how), func(t *testing.T) {
				everywhere(t, func(t *testing.T, th *Thread, o Options) {
					rts := []*Runtime{th.runtime(), (*runtimes.Load())[th.rt+1]}
					frames := mm.Frames()
					k := mustNew[keeper](t, th, Options{On: th.runtime().self})
					e := mustNew[ender](t, th, o)
					if _, err := Call(th, e, (*ender).Init, enderInit{what, k}); err != nil {
						t.Fatal(err)
					}
					wantHolders(t, rts, k.id, 3)
					var err error
					if how == "release" {
						err = Release(th, e)
					} else {
						err = Destroy(th, e)
						if p := (*PanicError)(nil); what == "panic" && errors.As(err, &p) && p.Value == "in Close" {
							err = nil
						}
						if what == "exit" && errors.Is(err, ErrExited) {
							err = nil
						}
						if e := Release(th, e); e != nil {
							t.Error(e)
						}
					}
					if err != nil {
						t.Error(err)
					}
					wantHolders(t, rts, e.id, 0)
					wantHolders(t, rts, k.id, 1)
					if what == "call" {
						made, err := Call(th, k, (*keeper).Get, 3)
						if err != nil || made.IsZero() {
							t.Errorf("what Close has made: %v, %v", made, err)
						}
						Release(th, made)
						wantHolders(t, rts, made.id, 1)
					}
					if err := Release(th, k); err != nil {
						t.Error(err)
					}
					wantHolders(t, rts, k.id, 0)
					waitFor(t, "all frames to be free", func() bool { return mm.Frames() == frames })
				})
			})
		}
	}
}
