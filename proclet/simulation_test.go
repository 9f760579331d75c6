package proclet

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"testing"
	"unsafe"
)

// A simulation runs threads one at a time and decides who is next whenever one
// of them waits, or is about to lock a latch: so it explores interleavings, and
// finds them again. Time stands still until a thread's deadline ends its wait,
// which may be as soon as it waits, or long after.
type simulation struct {
	check   func(ended bool)
	choose  func(n int) int // one of n possibilities
	actors  []*actor
	current *actor
	time    clock
	steps   int
	woken   map[*waiter]bool // what wake was called for and no block has returned for
	live    map[*waiter]bool
	onWake  func()
	ended   bool
	over    chan string // what went wrong, or ""
}

// actor is a thread of a simulation.
type actor struct {
	turn     chan struct{}
	ended    bool
	w        *waiter // what it is blocked with; nil if it is not
	deadline clock
}

const maxSteps = 100000

// simulate runs the programs as threads of one proclet, checks what check expects
// after every step, and returns what went wrong.
func simulate(check func(ended bool), choose func(n int) int, programs ...func()) string {
	s := &simulation{check: check, choose: choose, woken: map[*waiter]bool{}, live: map[*waiter]bool{}, over: make(chan string, 1)}
	simulated = s
	defer func() { simulated = nil }()
	for _, program := range programs {
		a := &actor{turn: make(chan struct{})}
		s.actors = append(s.actors, a)
		go func() {
			<-a.turn
			defer func() {
				if v := recover(); v != nil {
					s.over <- fmt.Sprintf("%v\n%s", v, debug.Stack())
				}
			}()
			program()
			a.ended = true
			s.pass(a)
		}()
	}
	s.pass(nil)
	wrong := <-s.over
	if wrong == "" && len(s.live)+len(s.woken) > 0 {
		wrong = fmt.Sprintf("%d waiters and %d wakes are left over", len(s.live), len(s.woken))
	}
	return wrong
}

// pass gives the turn to one of those who can go on, and returns when it is
// self's turn again.
func (s *simulation) pass(self *actor) {
	var can []*actor
	ended := 0
	for _, a := range s.actors {
		if a.ended {
			ended++
		} else if a.w == nil || s.woken[a.w] || a.deadline != never {
			can = append(can, a)
		}
	}
	s.ended = ended == len(s.actors)
	s.check(s.ended)
	if s.steps++; s.steps > maxSteps {
		panic("no end in sight")
	}
	if len(can) == 0 {
		if s.ended {
			s.over <- ""
		} else {
			s.over <- fmt.Sprintf("%d of %d threads wait for ever", len(s.actors)-ended, len(s.actors))
		}
		if self == nil || self.ended {
			return
		}
		select {} // a thread that will never go on
	}
	next := can[s.choose(len(can))]
	if next != self {
		s.current = next
		next.turn <- struct{}{}
		if self == nil || self.ended {
			return
		}
		<-self.turn
	}
	s.current = self
}

func (s *simulation) step() {
	if !s.ended { // otherwise it is the check of the end
		s.pass(s.current)
	}
}

func (s *simulation) clock() clock { return s.time }

func (s *simulation) newWaiter(t *Thread) *waiter {
	p, err := t.heap.Alloc(uint64(unsafe.Sizeof(waiter{})))
	if err != nil {
		panic(err)
	}
	w := (*waiter)(p)
	s.live[w] = true
	return w
}

func (s *simulation) freeWaiter(t *Thread, w *waiter) {
	if w.queued || !s.live[w] {
		panic("a waiter was given back that is queued, or twice")
	}
	delete(s.live, w)
	delete(s.woken, w)
	t.heap.Free(unsafe.Pointer(w))
}

func (s *simulation) block(t *Thread, w *waiter, deadline clock) bool {
	a := s.current
	a.w, a.deadline = w, deadline
	s.pass(a)
	a.w = nil
	if s.woken[w] && (deadline == never || s.choose(2) == 0) {
		delete(s.woken, w)
		return true
	}
	s.time = max(s.time, deadline)
	return false
}

func (s *simulation) wake(w *waiter) {
	if !s.live[w] || s.woken[w] {
		panic("a waiter was woken that is gone, or twice")
	}
	s.woken[w] = true
	if s.onWake != nil {
		s.onWake()
	}
}

// scenario makes programs in a proclet's state, which is all zero, for about n
// threads and n steps each, and a check of what is always true, and when all have
// ended.
type scenario func(th *Thread, s *playground, rng *rand.Rand, n int) (programs []func(), check func(ended bool))

// explore simulates a scenario many times, each time with other interleavings: a
// small one in order, all that there are or as many as there is time for, then
// larger ones at random.
func explore(t *testing.T, make scenario) {
	rng := seeded(t)
	inOrder, random := 10000, 10000
	if testing.Short() {
		inOrder, random = 1000, 1000
	}
	inHeapOf(t, 1<<20, func(th *Thread, s *playground) {
		run := func(choose func(int) int, scene uint64, n int) {
			t.Helper()
			programs, check := make(th, s, rand.New(rand.NewPCG(scene, 2)), n)
			wrong := simulate(check, choose, programs...)
			if wrong == "" && *s != (playground{}) {
				wrong = fmt.Sprintf("the state is not as before: %+v", s)
			}
			if wrong != "" {
				t.Fatalf("scene %#x of %d: %s", scene, n, wrong)
			}
		}
		// The last choice that has another possibility takes it, and what comes after
		// it starts again.
		var path, width []int
		scene := rng.Uint64()
		whole := 0
		for range inOrder {
			at := 0
			width = width[:0]
			run(func(n int) int {
				if at == len(path) {
					path = append(path, 0)
				}
				width = append(width, n)
				at++
				return path[at-1]
			}, scene, 2)
			for at > 0 && path[at-1] == width[at-1]-1 {
				at--
			}
			if at == 0 {
				whole++
				scene = rng.Uint64()
				path = path[:0]
				continue
			}
			path = path[:at]
			path[at-1]++
		}
		t.Logf("%d small scenes in all their interleavings", whole)
		for range random {
			choices := rand.New(rand.NewPCG(rng.Uint64(), 3))
			run(choices.IntN, rng.Uint64(), 2+rng.IntN(4))
		}
	})
}

// expect panics, which ends a simulation, unless ok.
func expect(ok bool, what ...any) {
	if !ok {
		panic(strings.TrimSpace(fmt.Sprintln(what...)))
	}
}
