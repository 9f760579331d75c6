package placement

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Sample is what a machine looks like at one moment. Times are on any clock that does not
// go back.
type Sample struct {
	At          time.Duration
	Free, Total uint64 // bytes of memory
	Processors  int
	Running     int     // threads that run, but for those that only poll
	Waiting     int     // threads that could run, and do not
	Busy        float64 // processors that proclets are known to use
	Moved       int64   // bytes of proclets that have come from other machines so far, less those that have gone
}

// State is what a machine tells the leader of itself.
type State struct {
	Free, Total, Watermark uint64
	Fall                   float64 // bytes by which Free falls in a second; never negative
	Processors             int
	Load                   float64       // processors that are asked for
	Peak                   float64       // most that were in the last half second
	Waiting                time.Duration // for how long threads have waited, at every look
	Memory, Processor      bool          // pressure
}

// Need is how many bytes have to be freed for the pressure to end, with what is taken meanwhile.
func (s *State) Need(p *Policy) uint64 {
	want := float64(s.Watermark)*1.25 + s.Fall*p.Horizon.Seconds()
	return uint64(max(want-float64(s.Free), 0))
}

// Excess is how many processors more are asked for than there are.
func (s *State) Excess() float64 { return max(s.Load-float64(s.Processors), 0) }

// Sensor turns samples into pressure.
type Sensor struct {
	policy    Policy
	state     State
	last      Sample
	begun     bool
	congested time.Duration // since when, if looks > 0
	looks     int           // that found threads waiting, in a row
	waited    time.Duration // when threads waited last
	recent    float64       // load, as it was in the last few milliseconds
	peaks     [peakParts]float64
}

func NewSensor(p Policy) *Sensor { return &Sensor{policy: p} }

// State is what the samples so far say.
func (s *Sensor) State() State { return s.state }

// How fast averages follow: of what falls, of the load that pressure is about, and of that which others
// are told of.
const (
	fallTime   = 10 * time.Millisecond
	recentTime = 20 * time.Millisecond
	loadTime   = 50 * time.Millisecond
)

// calm is how long nobody has waited when pressure is over.
const calm = 20 * time.Millisecond

// leastLooks is how many looks make a break at least: two are no evidence that there was none.
const leastLooks = 3

// Add takes a sample, and returns what has changed: one sentence for each kind of pressure that has
// begun or ended, with the figures.
func (s *Sensor) Add(x Sample) (changes []string) {
	if !s.begun {
		s.begun, s.last = true, x
	}
	passed := x.At - s.last.At
	st := &s.state
	st.Free, st.Total, st.Processors = x.Free, x.Total, x.Processors
	st.Watermark = s.policy.Watermark(x.Total)
	if passed > 0 {
		// What comes and goes by moves says nothing of what will be taken next.
		fell := (float64(s.last.Free) - float64(x.Free) - float64(x.Moved-s.last.Moved)) / passed.Seconds()
		st.Fall = max(toward(st.Fall, fell, passed, fallTime), 0)
		asked := max(float64(x.Running+x.Waiting), x.Busy)
		st.Load = toward(st.Load, asked, passed, loadTime)
		s.recent = toward(s.recent, asked, passed, recentTime)
		s.peak(x.At)
	}
	s.last = x
	if c := s.memory(); c != "" {
		changes = append(changes, c)
	}
	if c := s.processor(x); c != "" {
		changes = append(changes, c)
	}
	return changes
}

// toward moves an average to a value that was there for as long as passed.
func toward(average, value float64, passed, time time.Duration) float64 {
	return value + (average-value)*math.Exp(-passed.Seconds()/time.Seconds())
}

// The peak is what a machine shows others that look for room: what has been free at all times, not
// what happens to be. It is kept in parts of the time.
const (
	peakTime  = 64 * time.Millisecond
	peakParts = 8
)

func (s *Sensor) peak(at time.Duration) {
	for part := max(s.last.At/peakTime+1, at/peakTime-peakParts+1); part <= at/peakTime; part++ {
		s.peaks[part%peakParts] = 0 // these are long ago, or begin
	}
	now := &s.peaks[at/peakTime%peakParts]
	*now = max(*now, s.recent)
	s.state.Peak = slices.Max(s.peaks[:])
}

func (s *Sensor) memory() string {
	st := &s.state
	ahead := float64(st.Free) - st.Fall*s.policy.Horizon.Seconds()
	switch low := float64(st.Watermark); {
	case !st.Memory && ahead < low:
		st.Memory = true
	case st.Memory && ahead >= low*1.25:
		st.Memory = false
	default:
		return ""
	}
	return fmt.Sprintf("memory pressure %s: %s of %s free, falling by %s/s, watermark %s",
		onOff(st.Memory), Size(st.Free), Size(st.Total), Size(uint64(st.Fall)), Size(st.Watermark))
}

func (s *Sensor) processor(x Sample) string {
	st := &s.state
	was := st.Processor
	if x.Waiting == 0 {
		// One break is no end: the next wait would be called another pressure.
		s.looks, st.Waiting = 0, 0
		st.Processor = was && x.At-s.waited < calm
	} else {
		s.waited = x.At
		if s.looks == 0 {
			s.congested = x.At
		}
		s.looks++
		st.Waiting = x.At - s.congested
		// A burst that is about to be over is no reason to move anything.
		full := s.recent >= .95*float64(x.Processors)
		st.Processor = was || full && s.looks >= leastLooks && st.Waiting >= s.policy.Congested
	}
	switch {
	case st.Processor == was:
		return ""
	case was:
		return fmt.Sprintf("processor pressure ends: nobody has waited for %v, load %.2f on %d processors", x.At-s.waited, s.recent, st.Processors)
	}
	return fmt.Sprintf("processor pressure begins: threads have waited without a break for %v, %d wait and %d run now, load %.2f on %d processors",
		st.Waiting.Round(time.Microsecond), x.Waiting, x.Running, s.recent, st.Processors)
}

func onOff(on bool) string {
	if on {
		return "begins"
	}
	return "ends"
}

// Size writes a number of bytes for people.
func Size(n uint64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}
