package proclet

import (
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"nuos/rack"
)

// A machine calls a proclet that it has only just heard of while what the others
// publish does not get to the directory. The proclet is found wherever it is.
func TestFoundBeforeItIsPublished(t *testing.T) {
	tests := []struct {
		name      string
		published bool // where it was made
		then      func(t *testing.T, s *segment, rts []*Runtime, id ID)
	}{
		{"made", false, func(*testing.T, *segment, []*Runtime, ID) {}},
		{"moved", false, func(t *testing.T, s *segment, rts []*Runtime, id ID) { move(t, rts[1], rts[3], id) }},
		{"moved, and forgotten where it was", true, func(t *testing.T, s *segment, rts []*Runtime, id ID) {
			move(t, rts[1], rts[3], id)
			forgetDepartures(rts[1])
		}},
		{"moved, before the machine died", true, func(t *testing.T, s *segment, rts []*Runtime, id ID) {
			move(t, rts[1], rts[3], id)
			s.kill(rts[1].self)
		}},
		{"to the caller", true, func(t *testing.T, s *segment, rts []*Runtime, id ID) {
			move(t, rts[1], rts[3], id)
			move(t, rts[3], rts[2], id)
			forgetDepartures(rts[1])
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			needMoves(t)
			s, rts := newSegment(t, 4)
			s.hold(!test.published)
			ref := mustNew[tally](t, rts[0].Current(), Options{On: rts[1].self})
			s.hold(true)
			test.then(t, s, rts, ref.id)
			if got, err := Call(rts[2].Current(), ref, (*tally).Add, 1); err != nil || got != 1 {
				t.Errorf("Add = %d, %v", got, err)
			}
		})
	}
}

// A proclet moves on while all machines are being asked for it, always from one that
// is still to be asked to one that has been: each knows where it went.
func TestFoundWhileItMoves(t *testing.T) {
	needMoves(t)
	s, rts := newSegment(t, 4)
	s.hold(true)
	ref := mustNew[tally](t, rts[0].Current(), Options{On: rts[1].self})
	var mu sync.Mutex
	moves, over := 0, false
	s.setAround(func(_, to rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error) {
		if msg[0] == messageFind {
			mu.Lock()
			defer mu.Unlock()
			if over {
				return deliver(), nil
			}
			if owner := ownerOf(t, nil, ref.id); owner.self == to && moves < 5 {
				moves++
				next := rts[1]
				if owner == next {
					next = rts[3]
				}
				move(t, owner, next, ref.id)
			}
		}
		return deliver(), nil
	})
	if got, err := Call(rts[2].Current(), ref, (*tally).Add, 1); err != nil || got != 1 {
		t.Errorf("Add = %d, %v after %d moves", got, err, moves)
	}
	mu.Lock()
	defer mu.Unlock()
	over = true // some may still be asked
	if moves == 0 {
		t.Error("nobody was asked")
	}
}

// Nothing is said of a proclet while a machine that may have it does not answer.
func TestNotGoneWhileAMachineIsSilent(t *testing.T) {
	s, rts := newSegment(t, 3)
	s.hold(true)
	ref := mustNew[tally](t, rts[0].Current(), Options{On: rts[1].self})
	silent := 0
	s.setAround(func(from, to rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error) {
		if msg[0] == messageFind && from == rts[2].self && to == rts[1].self && silent < 3 {
			silent++
			return nil, &rack.CallError{To: to, Executed: rack.ErrNotSent, Cause: rack.ErrUnreachable}
		}
		return deliver(), nil
	})
	if got, err := Call(rts[2].Current(), ref, (*tally).Add, 1); err != nil || got != 1 || silent != 3 {
		t.Errorf("Add = %d, %v after %d questions that were not answered", got, err, silent)
	}
}

// A machine that does not answer, and is declared dead then, has taken its
// proclet along, also if the caller believed it on another one that has gone.
func TestLostWithTheSecondMachine(t *testing.T) {
	needMoves(t)
	s, rts := newSegment(t, 4)
	ref := mustNew[tally](t, rts[0].Current(), Options{On: rts[1].self})
	if _, err := Call(rts[2].Current(), ref, (*tally).Add, 1); err != nil {
		t.Fatal(err)
	}
	move(t, rts[1], rts[3], ref.id)
	s.kill(rts[1].self)
	began, asked := time.Now(), 0
	s.setAround(func(from, to rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error) {
		if from != rts[2].self || to != rts[3].self {
			return deliver(), nil
		}
		if asked++; asked == 3 { // the call, and all machines twice
			s.kill(to)
		}
		return nil, &rack.CallError{To: to, Executed: rack.ErrMaybeExecuted, Cause: rack.ErrUnreachable}
	})
	if _, err := Call(rts[2].Current(), ref, (*tally).Add, 1); !errors.Is(err, ErrLost) || !errors.Is(err, ErrMaybeExecuted) {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// A directory that has not heard that a proclet has ended is not waited for.
func TestGoneThoughTheDirectoryKnowsIt(t *testing.T) {
	s, rts := newSegment(t, 3)
	ref := mustNew[tally](t, rts[0].Current(), Options{On: rts[1].self})
	if err := Destroy(rts[0].Current(), ref); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.locations[ref.id.Gen] = rack.Location{Machine: rts[1].self}
	s.mu.Unlock()
	asked := map[byte]int{}
	s.setAround(func(from, _ rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error) {
		s.mu.Lock()
		if from == rts[2].self {
			asked[msg[0]]++
		}
		s.mu.Unlock()
		return deliver(), nil
	})
	if _, err := Call(rts[2].Current(), ref, (*tally).Add, 1); !errors.Is(err, ErrNoProclet) {
		t.Errorf("%v, want ErrNoProclet", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if want := map[byte]int{messageCall: 1, messageFind: 2}; !maps.Equal(asked, want) {
		t.Errorf("messages %v, want %v", asked, want)
	}
}

// A proclet that ends, and waits for somebody inside, lets nobody in any more: its
// machine says that it is there and that it is not, and is not asked without end.
func TestGoneWhileItEnds(t *testing.T) {
	s, rts := newSegment(t, 3)
	ref := mustNew[tally](t, rts[0].Current(), Options{On: rts[1].self})
	r := rts[1].find(ref.id)
	r.gate.enter(false)
	destroyed := make(chan error)
	go func() { destroyed <- Destroy(rts[0].Current(), ref) }()
	waitFor(t, "the proclet to end", r.destroying.Load)
	asked := 0
	s.setAround(func(from, to rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error) {
		if from == rts[2].self && to == rts[1].self && msg[0] == messageCall {
			asked++
		}
		return deliver(), nil
	})
	if _, err := Call(rts[2].Current(), ref, (*tally).Add, 1); !errors.Is(err, ErrNoProclet) {
		t.Errorf("%v, want ErrNoProclet", err)
	}
	if asked > 30 { // with a pause before each further time
		t.Errorf("it was called %d times", asked)
	}
	r.gate.leave()
	if err := <-destroyed; err != nil {
		t.Error(err)
	}
}

func (s *segment) hold(held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = held
}

func (s *segment) setAround(f func(from, to rack.MachineID, msg []byte, deliver func() []byte) ([]byte, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.around = f
}

func forgetDepartures(rt *Runtime) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	clear(rt.departed.at)
}
