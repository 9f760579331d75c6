package proclet

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"nuos/proclet/internal/fiber"
	"nuos/rack"
)

// What proclets use of their machine's processors, and who calls them, by samples.
//
// A thread runs in slices, each from its beginning or the end of a wait to the next one. Of one slice in
// sampledSlices it is measured how long it takes in which proclet, unless it becomes long: long slices
// are found by looking at the threads from time to time. What has been found decays.

const (
	// loadTime is how long what was used counts.
	loadTime = 100 * time.Millisecond
	// sampledSlices: the slices that are measured stand for so many. A power of two.
	sampledSlices = 32
	// longSlice is how long a slice is that is found by looking.
	longSlice = time.Millisecond
)

// usage is a number of processors, averaged over loadTime.
type usage struct {
	value float64
	at    clock
}

// add books that some processors were used for as long as d until now.
func (u *usage) add(now clock, d time.Duration, processors float64) {
	u.value = u.read(now) - processors*math.Expm1(-d.Seconds()/loadTime.Seconds())
	u.at = now
}

func (u *usage) read(now clock) float64 {
	return u.value * math.Exp(-time.Duration(now-u.at).Seconds()/loadTime.Seconds())
}

// load is what is known of a proclet, or of all of a machine, since it came.
type load struct {
	mu      sync.Mutex
	usage   usage
	callers [trackedCallers]Caller // Share is a count
}

// trackedCallers is how many machines are told apart of those that call a proclet.
const trackedCallers = 4

// Caller is a machine and its share of the calls of a proclet, lately.
type Caller struct {
	Machine rack.MachineID `json:"machine"`
	Share   float64        `json:"share"`
}

func (l *load) add(now clock, d time.Duration, processors float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.usage.add(now, d, processors)
}

func (l *load) read(now clock) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.usage.read(now)
}

// calledFrom notes a sampled call. Later ones count more. A machine that is not among those that are
// told apart takes the place of the one that has called least, and its count, so that it
// does not lose it to the next one.
func (l *load) calledFrom(m rack.MachineID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	place, least := -1, 0
	for i := range l.callers {
		c := &l.callers[i]
		c.Share *= 1 - 1./64
		if c.Machine == m {
			place = i
		}
		if c.Share < l.callers[least].Share {
			least = i
		}
	}
	if place < 0 {
		place = least
		l.callers[place].Machine = m
	}
	l.callers[place].Share++
}

// shares returns who calls, those first that do so most.
func (l *load) shares() (all []Caller) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := 0.
	for _, c := range l.callers {
		if c.Share > .01 {
			all = append(all, c)
			sum += c.Share
		}
	}
	for i := range all {
		all[i].Share /= sum
	}
	slices.SortFunc(all, func(a, b Caller) int { return cmp.Compare(b.Share, a.Share) })
	return all
}

// sampled reports whether the call that has just entered is one of those that stand for the others.
func (g *gate) sampled() bool { return g.entered()%sampledSlices == 0 }

// beginSlice is called when t begins, or goes on after a wait.
func (t *Thread) beginSlice() {
	t.measured = 0
	if t.slices.Add(1)%sampledSlices == 0 {
		t.measured, t.span = machineClock(), 0
	}
}

// measure books the time since t.measured, which is not 0, to t's innermost proclet.
func (t *Thread) measure() {
	now := machineClock()
	d := time.Duration(now - t.measured)
	if d < 0 || d+time.Duration(t.span) > longSlice { // it has moved, or is found by looking
		t.measured = 0
		return
	}
	t.measured = now
	t.span += uint32(d)
	if r := residentAt(t.id.Addr); r != nil && r.id == t.id {
		r.uses(now, d, sampledSlices)
	}
}

// uses books processors that r has used for as long as d until now.
func (r *resident) uses(now clock, d time.Duration, processors float64) {
	r.load.add(now, d, processors)
	r.rt.load.add(now, d, processors)
}

// LookAtThreads looks at some of the threads of this process, and books what those have used
// whose slices are long. Others are looked at the next time. Whoever wants to know the load of proclets calls it from
// time to time, at least every loadTime: it takes microseconds.
func (rt *Runtime) LookAtThreads() { lookAtThreads(64) }

func lookAtThreads(most int) {
	if !fiber.Movable {
		return // threads are goroutines, which must not be looked at
	}
	now := machineClock()
	attached.mu.Lock()
	defer attached.mu.Unlock()
	for range min(most, len(attached.all)) {
		attached.looked = (attached.looked + 1) % len(attached.all)
		attached.looks[attached.looked].at(attached.all[attached.looked], now)
	}
}

// look is what was seen of a thread when it was looked at last.
type look struct {
	when  clock
	slice uint32
}

// at books the time since the last look if t, which may be running, is in the same slice as it was then.
func (l *look) at(t *Thread, now clock) {
	last := *l
	*l = look{now, t.slices.Load()}
	if last.slice != l.slice || t.fiber.Asleep() {
		return
	}
	depth := t.depth // t may be changing it
	if depth < 1 || depth > maxDepth {
		return
	}
	if r := residentAt(t.entered[depth-1]); r != nil {
		r.uses(now, time.Duration(now-last.when), 1)
	}
}

// Busy returns how many processors the proclets of this machine use, lately.
func (rt *Runtime) Busy() float64 { return rt.load.read(machineClock()) }

// Load is what there is to know of a proclet for whoever decides where it is to live.
type Load struct {
	ID         ID
	Pinned     bool
	Leaving    bool
	Mapped     uint64  // bytes of memory taken
	Used       uint64  // bytes allocated in the heap
	Processors float64 // that it uses, lately
	Callers    []Caller
	Here       time.Duration // for how long it has lived here
}

// Loads lists the proclets that live on this machine, in the order of their addresses.
func (rt *Runtime) Loads() []Load {
	now := machineClock()
	residents := rt.all()
	all := make([]Load, 0, len(residents))
	for _, r := range residents {
		r.alive.RLock()
		s, ok := r.stats()
		r.alive.RUnlock()
		if !ok {
			continue
		}
		all = append(all, Load{
			ID: r.id, Pinned: r.pinned, Leaving: r.gate.closed(), Mapped: s.Mapped, Used: s.Used,
			Processors: r.load.read(now), Callers: r.load.shares(), Here: time.Duration(now - r.since),
		})
	}
	return all
}
