//go:build proclet_debug

package proclet

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// smuggler keeps what it must not.
type smuggler struct {
	n    int64
	kept uintptr
	more Slice[uintptr]
}

var smuggled = new([4]int64)

func (s *smuggler) Keep(t *Thread, _ struct{}) (int64, error) {
	s.kept = uintptr(unsafe.Pointer(smuggled))
	s.n++
	return s.n, nil
}

// Panic keeps it and does not return.
func (s *smuggler) Panic(t *Thread, how string) (int64, error) {
	s.kept = uintptr(unsafe.Pointer(smuggled))
	if how == "exit" {
		runtime.Goexit()
	}
	panic(how)
}

// Begin starts a thread that does that.
func (s *smuggler) Begin(t *Thread, how string) (int64, error) {
	h, err := Start(t, func(s *smuggler, t *Thread, how string) {
		if how != "" {
			s.Panic(t, how)
		}
		s.kept = uintptr(unsafe.Pointer(smuggled))
	}, how)
	if err != nil {
		return 0, err
	}
	err = h.Join(t)
	s.kept = 0
	return 0, err
}

func (s *smuggler) Append(t *Thread, _ struct{}) (int64, error) {
	s.kept = 0
	s.n++
	return s.n, s.more.Append(t, 7, uintptr(unsafe.Pointer(smuggled)))
}

func (s *smuggler) Drop(t *Thread, _ struct{}) (int64, error) {
	s.kept = 0
	s.more.Free(t)
	return s.n, nil
}

// A pointer into Go's heap that a method leaves in its proclet's fails its call.
func TestSmuggledPointer(t *testing.T) {
	var console bytes.Buffer
	log.SetOutput(&console)
	defer log.SetOutput(os.Stderr)
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		console.Reset()
		ref := mustNew[smuggler](t, th, o)
		state := uintptr(ownerOf(t, nil, ref.ID()).find(ref.ID()).state)
		_, err := Call(th, ref, (*smuggler).Keep, struct{}{})
		want := fmt.Sprintf("the word at %#x, 8 bytes into the state, proclet.smuggler, at %#x, is %#x: a pointer into the Go heap",
			state+unsafe.Offsetof(smuggler{}.kept), state, uintptr(unsafe.Pointer(smuggled)))
		for from, text := range map[string]string{"Call": fmt.Sprint(err), "the console": console.String()} {
			if !strings.Contains(text, want) {
				t.Errorf("%s says %q, want %q", from, text, want)
			}
		}
		_, err = Call(th, ref, (*smuggler).Append, struct{}{})
		if want := "8 bytes into the object at"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Append = %v, want %q", err, want)
		}
		if n, err := Call(th, ref, (*smuggler).Drop, struct{}{}); n != 2 || err != nil {
			t.Errorf("Drop = %d, %v", n, err)
		}
		for how, said := range map[string]string{"dismay": "method panicked: dismay", "exit": "into the state", "": "into the state"} {
			for by, method := range map[string]func(*smuggler, *Thread, string) (int64, error){"a call": (*smuggler).Panic, "a thread": (*smuggler).Begin} {
				if how == "" && by == "a call" {
					continue
				}
				_, err := Call(th, ref, method, how)
				if err == nil || !strings.Contains(err.Error(), said) || !strings.Contains(err.Error(), "a pointer into the Go heap") {
					t.Errorf("%s that ends with %q = %v, want %q", by, how, err, said)
				}
				if p := new(PanicError); by == "a call" && errors.As(err, &p) != (how == "dismay") {
					t.Errorf("%s that ends with %q = %T", by, how, err)
				}
				if _, err := Call(th, ref, (*smuggler).Drop, struct{}{}); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// careless writes behind the end of what it has allocated.
type careless struct {
	s Slice[byte]
}

func (c *careless) Overrun(t *Thread, _ struct{}) (int, error) {
	if err := c.s.Append(t, 1, 2, 3, 4, 5, 6, 7, 8); err != nil {
		return 0, err
	}
	*c.behind()++
	return 0, nil
}

func (c *careless) behind() *byte { return (*byte)(unsafe.Add(unsafe.Pointer(c.s.At(0)), 256)) }

// A heap that a method has damaged fails its call.
func TestDamagedHeap(t *testing.T) {
	log.SetOutput(new(bytes.Buffer))
	defer log.SetOutput(os.Stderr)
	_, rts := newSegment(t, 1)
	th := rts[0].Current()
	ref := mustNew[careless](t, th, Options{})
	_, err := Call(th, ref, (*careless).Overrun, struct{}{})
	if err == nil || !strings.Contains(err.Error(), "something was written to free memory") {
		t.Errorf("Overrun = %v", err)
	}
	r := rts[0].find(ref.ID())
	*(*careless)(r.state).behind()--
	if err := r.heap.Check(); err != nil {
		t.Error(err)
	}
}

// numbered has an ID of any number in its state.
type numbered struct{ id ID }

func (s *numbered) Number(t *Thread, n uint64) (struct{}, error) {
	s.id = ID{t.id.Addr, n}
	return struct{}{}, nil
}

// The number of an ID is none, though it is one that is the address of something.
func TestNumberLikeAPointer(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		ref := mustNew[numbered](t, th, o)
		if _, err := Call(th, ref, (*numbered).Number, uint64(uintptr(unsafe.Pointer(smuggled)))); err != nil {
			t.Error(err)
		}
	})
}
