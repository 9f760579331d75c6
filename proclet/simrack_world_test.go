package proclet

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"nuos/rack"
)

// simWorld is a simulated rack. Its machines run the runtime and the migrator as
// they are; only the network between them, the directory and time are simulated. What
// could happen next is a list: messages and answers that could arrive, goroutines
// that were stopped at an interleave, moves and calls that could begin, time that could
// pass, machines that could be cut off. The driver lets one thing happen, chosen by the
// seed, and waits until everybody is blocked again.
type simWorld struct {
	seed    uint64
	rng     *rand.Rand // the driver's
	profile simProfile

	mu        sync.Mutex
	machines  []*simMachine
	events    []*simEvent
	messages  []*simMessage // sent so far
	arrived   int           // counts events
	hits      map[string]int
	calm      bool // nothing goes wrong any more, nobody is stopped
	locations map[uint64]rack.Location
	bulks     map[[2]uint64]*simBulk
	names     map[ID]string
	trace     []string
	wrong     []string
	stopped   int // goroutines at an interleave
	moves     int // that were made
	tasks     []*simTask
	subjects  []Ref[subject]
	gone      []ID // subjects that were destroyed or lost
	started   time.Time
	doubts    int // answers that were lost: what is kept for them is never called for
}

// simProfile is what goes on in a world.
type simProfile struct {
	machines, subjects, calls, moves int
	stop                             uint64 // percent of interleaves where somebody is stopped
	refusals                         bool   // destinations refuse, transfers fail
	unreachable                      bool   // messages are late and answers lost
	deaths                           bool
	destroy                          bool
}

// simEvent is something that could happen.
type simEvent struct {
	what   string
	place  int
	able   func() bool // nil: always
	happen func()      // by the driver, without the lock
}

func newSimWorld(seed uint64) *simWorld {
	w := &simWorld{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), hits: map[string]int{}, locations: map[uint64]rack.Location{},
		bulks: map[[2]uint64]*simBulk{}, names: map[ID]string{}, started: time.Now(),
	}
	w.profile = simProfile{
		machines: 2 + w.rng.IntN(2), subjects: 2 + w.rng.IntN(3), calls: 4 + w.rng.IntN(14), moves: 3 + w.rng.IntN(12),
		stop: []uint64{0, 5, 20, 60}[w.rng.IntN(4)], refusals: w.rng.IntN(3) == 0, unreachable: w.rng.IntN(3) == 0,
		deaths: w.rng.IntN(4) == 0, destroy: w.rng.IntN(3) == 0,
	}
	if w.profile.deaths {
		w.profile.machines = 3
	}
	for range w.profile.machines {
		w.machines = append(w.machines, newSimMachine(w))
	}
	return w
}

// quiet waits until everybody is blocked. What they did to the world is then seen
// here: the lock tells the race detector so, which knows that of goroutines that wait
// for the bubble but not of threads that are parked.
func (w *simWorld) quiet() {
	synctest.Wait()
	w.mu.Lock()
	w.mu.Unlock()
}

// say adds to the trace. Called with mu held.
func (w *simWorld) say(format string, args ...any) {
	at := time.Since(w.started).Round(time.Microsecond)
	w.trace = append(w.trace, fmt.Sprintf("%12v  %s", at, fmt.Sprintf(format, args...)))
}

func (w *simWorld) breaks(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.say("WRONG: "+format, args...)
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// may adds something that could happen. Called with mu held.
func (w *simWorld) may(what string, able func() bool, happen func()) {
	w.arrived++
	w.events = append(w.events, &simEvent{what, w.arrived, able, happen})
}

// name is what the trace calls a proclet. Called with mu held.
func (w *simWorld) name(id ID) string {
	if w.names[id] == "" {
		w.names[id] = fmt.Sprintf("P%d", len(w.names)+1)
	}
	return w.names[id]
}

// stop stops the calling goroutine at an interleave, perhaps.
func (w *simWorld) stop(at string) {
	w.mu.Lock()
	if !w.hash(at, w.profile.stop) {
		w.mu.Unlock()
		return
	}
	goOn := make(chan struct{})
	w.stopped++
	w.may("goes on: "+at, nil, func() {
		w.mu.Lock()
		w.stopped--
		w.mu.Unlock()
		close(goOn)
	})
	w.mu.Unlock()
	<-goOn
}

// hash decides, for others than the driver, whether something happens that has a
// chance: for the n-th of its kind always the same. Called with mu held.
func (w *simWorld) hash(what string, percent uint64) bool {
	h := fnv.New64a()
	w.hits[what]++
	fmt.Fprint(h, w.seed, what, w.hits[what])
	return !w.calm && h.Sum64()%100 < percent
}

// chance is for the driver.
func (w *simWorld) chance(percent int) bool { return !w.calm && w.rng.IntN(100) < percent }

// step lets one thing happen, and reports whether there was one besides time.
func (w *simWorld) step() bool {
	w.quiet()
	w.check()
	w.mu.Lock()
	slices.SortStableFunc(w.events, func(a, b *simEvent) int { return cmp.Compare(a.what, b.what) })
	var can []*simEvent
	for _, e := range w.events {
		if e.able == nil || e.able() {
			can = append(can, e)
		}
	}
	w.mu.Unlock()
	own := w.actions()
	if len(can)+len(own) == 0 || !w.calm && w.rng.IntN(12) == 0 {
		w.pass()
		return len(can)+len(own) > 0
	}
	if n := w.rng.IntN(len(can) + len(own)); n < len(own) {
		own[n]()
	} else {
		e := can[n-len(own)]
		w.mu.Lock()
		w.events = slices.DeleteFunc(w.events, func(x *simEvent) bool { return x == e })
		w.say("%s", e.what)
		w.mu.Unlock()
		e.happen()
	}
	return true
}

// pass lets time pass.
func (w *simWorld) pass() {
	d := time.Duration(1+w.rng.IntN(999)) * []time.Duration{time.Microsecond, time.Microsecond, time.Millisecond}[w.rng.IntN(3)]
	if w.calm {
		d = 100 * time.Millisecond
	}
	time.Sleep(d)
}

// run drives the world until everything has ended, and returns what was wrong.
func (w *simWorld) run() []string {
	w.begin()
	for !w.failed() && !w.over() {
		if w.step(); w.endless() {
			w.breaks("no end in sight")
		}
	}
	if w.failed() {
		return w.wrong
	}
	w.mu.Lock()
	w.calm = true
	w.say("from here on nothing goes wrong any more")
	w.mu.Unlock()
	w.finish()
	return w.wrong
}

// failed reports whether something was wrong.
func (w *simWorld) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.wrong) > 0
}

// endless reports whether more has happened than ever does.
func (w *simWorld) endless() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.trace) > 100000
}

// over reports whether the driver has nothing more to begin, and what was begun
// has ended or waits for what only finish brings.
func (w *simWorld) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	callers, moves := w.busy()
	return w.profile.calls == 0 && w.profile.moves == 0 && moves == 0 && w.stopped == 0 && (callers == 0 || time.Since(w.started) > time.Minute)
}

// busy adds up what machines that are not dead have under way. Called with mu held.
func (w *simWorld) busy() (callers, moves int) {
	for _, m := range w.machines {
		if !m.dead {
			callers, moves = callers+m.callers, moves+m.moving
		}
	}
	return callers, moves
}

// settle lets things happen until nobody has anything to do for as long as the slowest
// timers take.
func (w *simWorld) settle(limit time.Duration, done func() bool) bool {
	idle := 0
	for end := time.Now().Add(limit); ; {
		if idle++; w.step() {
			idle = 0
		}
		if idle > 1 && done() { // what time has brought about shows in the next step
			return true
		}
		if time.Now().After(end) || w.failed() {
			return false
		}
	}
}

// story is the trace, with the newest part if it is long.
func (w *simWorld) story() string {
	const most = 400
	var b strings.Builder
	fmt.Fprintf(&b, "world %d: %+v\n", w.seed, w.profile)
	lines := w.trace
	if len(lines) > most {
		fmt.Fprintf(&b, "... %d lines are left out\n", len(lines)-most)
		lines = lines[len(lines)-most:]
	}
	return b.String() + strings.Join(lines, "\n")
}
