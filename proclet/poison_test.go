//go:build proclet_debug

package proclet

import (
	"errors"
	"strings"
	"testing"
)

// hoarder keeps its arguments in a variable of the machine, where they must not be.
type hoarder struct {
	other Ref[hoarder]
}

var hoarded string

const treasure = "what is only lent"

var spoiled = strings.Repeat("\xdb", len(treasure))

// wantSpoiled waits until what was hoarded is filled with the pattern of free memory.
func wantSpoiled(t *testing.T, what string) {
	t.Helper()
	if len(hoarded) != len(treasure) {
		t.Errorf("%s: nothing was hoarded", what)
		return
	}
	waitFor(t, what+" to be filled", func() bool { return hoarded == spoiled })
}

func (h *hoarder) Hoard(t *Thread, s string) (int, error) {
	if s != treasure {
		return 0, errors.New("wrong argument: " + s)
	}
	hoarded = s
	return len(s), nil
}

// Hand hands its argument back, which is a copy.
func (h *hoarder) Hand(t *Thread, s string) (string, error) {
	_, err := h.Hoard(t, s)
	return s, err
}

func (h *hoarder) Fail(t *Thread, s string) (string, error) {
	if _, err := h.Hoard(t, s); err != nil {
		return "", err
	}
	return "", errors.New(s)
}

func (h *hoarder) Panic(t *Thread, s string) (string, error) {
	if _, err := h.Hoard(t, s); err != nil {
		return "", err
	}
	panic(s)
}

func (h *hoarder) Know(t *Thread, other Ref[hoarder]) (struct{}, error) {
	return struct{}{}, h.other.Set(t, other)
}

// Relay calls one of the other hoarder's methods, and says what is hoarded at once when
// that has returned.
func (h *hoarder) Relay(t *Thread, method int) (said [2]string, err error) {
	switch method {
	case 0:
		var n int
		n, err = Call(t, h.other, (*hoarder).Hoard, treasure)
		said[0] = treasure[:n]
	case 1:
		said[0], err = Call(t, h.other, (*hoarder).Hand, treasure)
	case 2:
		said[0], err = Call(t, h.other, (*hoarder).Fail, treasure)
	case 3:
		said[0], err = Call(t, h.other, (*hoarder).Panic, treasure)
	}
	if err != nil {
		said[0] = err.Error()
	}
	said[1] = hoarded
	return said, nil
}

// Scoped hoards what a call returns until the end of a Scope.
func (h *hoarder) Scoped(t *Thread, _ struct{}) (string, error) {
	var err error
	t.Scope(func() {
		var s string
		if s, err = Call(t, h.other, (*hoarder).Hand, treasure); err == nil {
			_, err = h.Hoard(t, s)
		}
	})
	return strings.Clone(hoarded), err
}

// An argument is filled with a pattern when the method that got it has ended, whichever
// way it ended, and so is what calls in a Scope return.
func TestArgumentsAreSpoiled(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		ref, other := mustNew[hoarder](t, th, o), mustNew[hoarder](t, th, o)
		if _, err := Call(th, ref, (*hoarder).Know, other); err != nil {
			t.Fatal(err)
		}
		if n, err := Call(th, ref, (*hoarder).Hoard, treasure); n != len(treasure) || err != nil {
			t.Errorf("Hoard = %d, %v", n, err)
		}
		wantSpoiled(t, "an argument")
		for i, what := range []string{"Hoard", "Hand", "Fail", "Panic"} {
			hoarded = ""
			said, err := Call(th, ref, (*hoarder).Relay, i)
			if !strings.HasSuffix(said[0], treasure) || err != nil {
				t.Errorf("%s = %q, %v", what, said[0], err)
			}
			if !alwaysMoving && said[1] != spoiled { // there the call may have been one by message
				t.Errorf("after %s its argument is %q", what, said[1])
			}
			wantSpoiled(t, "the argument of "+what)
		}
		s, err := Call(th, ref, (*hoarder).Scoped, struct{}{})
		if s != spoiled || err != nil {
			t.Errorf("after its Scope, a result is %q, %v", s, err)
		}
	})
}
