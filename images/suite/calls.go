package main

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"sync/atomic"
	"time"

	"nuos/proclet"
	"nuos/rack"
)

// Counter counts, and says when it ends.
type Counter struct {
	mu proclet.Mutex
	n  int64
}

// Add adds n and returns the sum.
func (c *Counter) Add(t *proclet.Thread, n int64) (int64, error) {
	c.mu.Lock(t)
	defer c.mu.Unlock(t)
	c.n += n
	return c.n, nil
}

// Fail returns what the caller says, or panics with it.
func (c *Counter) Fail(t *proclet.Thread, how string) (int64, error) {
	if how == "panic" {
		panic("as asked for")
	}
	return 0, fmt.Errorf("%w: %s", errAsked, how)
}

var (
	errAsked = errors.New("as asked for")
	closed   atomic.Int64 // Counters that ended on this machine
)

func init() { proclet.RegisterErrors(errAsked) }

// Close is called when the proclet ends.
func (c *Counter) Close(t *proclet.Thread) { closed.Add(1) }

// Closed returns how many Counters ended on the machine where it is called.
func (c *Counter) Closed(t *proclet.Thread, _ struct{}) (int64, error) { return closed.Load(), nil }

// closedCounters is how many Counters ended in the rack.
func (s *suite) closedCounters() (n int64, err error) {
	for _, m := range s.machines {
		// A proclet that stays says what is so on its machine.
		there, err := proclet.New[Counter](s.t, proclet.Options{On: m, Pinned: true})
		if err != nil {
			return 0, err
		}
		here, err := proclet.Call(s.t, there, (*Counter).Closed, struct{}{})
		if err := errors.Join(err, proclet.Release(s.t, there)); err != nil {
			return 0, err
		}
		n += here
	}
	return n, nil
}

// checkProclet: a proclet is made, called, named, and ends once.
func checkProclet(s *suite) (string, error) {
	left, err := s.count()
	if err != nil {
		return "", err
	}
	before, err := s.closedCounters()
	if err != nil {
		return "", err
	}
	if err := s.cleared(left); err != nil {
		return "", err
	}
	n := s.times(60)
	for i := range n {
		ref, err := proclet.New[Counter](s.t, proclet.Options{On: s.machine(i)})
		if err != nil {
			return "", err
		}
		name := fmt.Sprintf("counter %d", i)
		if err := proclet.Bind(s.t, name, ref); err != nil {
			return "", err
		}
		named, err := proclet.Lookup[Counter](s.t, name)
		if err == nil && named != ref {
			err = fmt.Errorf("%s is %v, not %v", name, named.ID(), ref.ID())
		}
		for k := range int64(3) {
			if err == nil {
				var sum int64
				sum, err = proclet.Call(s.t, named, (*Counter).Add, k)
				err = errors.Join(err, want("sum", sum, k*(k+1)/2))
			}
		}
		if err != nil {
			return "", err
		}
		if _, err := proclet.Call(s.t, ref, (*Counter).Fail, "badly"); !errors.Is(err, errAsked) || err.Error() != "as asked for: badly" {
			return "", fmt.Errorf("a method's error arrives as %v", err)
		}
		var panicked *proclet.PanicError
		if _, err := proclet.Call(s.t, ref, (*Counter).Fail, "panic"); !errors.As(err, &panicked) || panicked.Value != "as asked for" {
			return "", fmt.Errorf("a panic arrives as %v", err)
		}
		weak := ref.Weak()
		if err := errors.Join(proclet.Unbind(s.t, name), proclet.Release(s.t, named)); err != nil {
			return "", err
		}
		if _, err := proclet.Call(s.t, ref, (*Counter).Add, 1); err != nil {
			return "", fmt.Errorf("it is held, and yet: %w", err)
		}
		if i%2 == 0 {
			err = proclet.Release(s.t, ref)
		} else {
			err = errors.Join(proclet.Destroy(s.t, ref), proclet.Release(s.t, ref))
		}
		if err != nil {
			return "", err
		}
		if err := ended(s, weak); err != nil {
			return "", err
		}
	}
	if err := s.cleared(left); err != nil {
		return "", err
	}
	after, err := s.closedCounters()
	if err != nil {
		return "", err
	}
	// Those that count are Counters as well: those of the first count.
	return fmt.Sprintf("%d made, called, named and ended", n), want("destructors run", after-before, int64(n+len(s.machines)))
}

// checkFastPath: calls of a proclet on this machine.
func checkFastPath(s *suite) (string, error) { return s.checkCalls(s.machines[0], s.times(50000)) }

// checkSlowPath: calls of a proclet on another machine.
func checkSlowPath(s *suite) (string, error) { return s.checkCalls(s.machines[1], s.times(5000)) }

// checkCalls calls a proclet that is made on machine on n times, and says what a
// call costs.
func (s *suite) checkCalls(on rack.MachineID, n int) (string, error) {
	ref, err := proclet.New[Counter](s.t, proclet.Options{On: on})
	if err != nil {
		return "", err
	}
	defer proclet.Release(s.t, ref)
	start := time.Now()
	for i := range int64(n) {
		got, err := proclet.Call(s.t, ref, (*Counter).Add, 1)
		if err := errors.Join(err, want("sum", got, i+1)); err != nil {
			return "", err
		}
	}
	each := time.Since(start) / time.Duration(n)
	// Many at once.
	const callers = 8
	err = together(callers, func(int) error {
		for range n / callers {
			if _, err := proclet.Call(s.t, ref, (*Counter).Add, 1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	sum, err := proclet.Call(s.t, ref, (*Counter).Add, 0)
	return fmt.Sprintf("%d calls, %v each", n, each), errors.Join(err, want("sum", sum, int64(n+n/callers*callers)))
}

// everything has something of all that can travel.
type everything struct {
	Small   int8
	Large   uint64
	Float   float32
	Complex complex128
	Flag    bool
	Text    string
	Bytes   []byte
	Texts   []string
	None    []int
	Array   [3]struct{ A, B int16 }
	Outer   *outer
	ByName  map[string][]inner
	At      time.Time
	Addr    netip.Addr // brings its own encoding
	ID      proclet.ID
}

type outer struct {
	Name  string
	Inner []*inner
}

type inner struct {
	Name *string
	Sums []float64
}

// Echo returns its argument, as it is after a call of itself.
func (c *Counter) Echo(t *proclet.Thread, e everything) (everything, error) { return e, nil }

// checkCereal: arguments and results arrive as they were sent.
func checkCereal(s *suite) (string, error) {
	random := s.random(1)
	text := func() string {
		b := make([]byte, random.IntN(40))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return string(b)
	}
	part := func() inner {
		name := text()
		return inner{&name, []float64{random.NormFloat64(), random.ExpFloat64()}}
	}
	rounds := s.times(100)
	for _, m := range s.machines {
		ref, err := proclet.New[Counter](s.t, proclet.Options{On: m})
		if err != nil {
			return "", err
		}
		defer proclet.Release(s.t, ref)
		for range rounds {
			e := everything{
				Small: int8(random.Uint32()), Large: random.Uint64(), Float: random.Float32(), Complex: complex(random.Float64(), 1),
				Flag: random.IntN(2) == 0, Text: text(), Bytes: []byte(text()), Texts: []string{text(), "", text()},
				Array: [3]struct{ A, B int16 }{{1, 2}, {int16(random.Uint32()), 4}}, At: time.Unix(0, random.Int64()).UTC(),
				Addr: netip.AddrFrom4([4]byte{10, 77, byte(random.Uint32()), 1}), ID: ref.ID(),
			}
			one, two := part(), part()
			e.Outer = &outer{text(), []*inner{&one, nil, &two}}
			e.ByName = map[string][]inner{"": nil, text() + "x": {part(), {}}}
			got, err := proclet.Call(s.t, ref, (*Counter).Echo, e)
			if err != nil {
				return "", err
			}
			if !reflect.DeepEqual(got, e) {
				return "", fmt.Errorf("%+v arrives as %+v", e, got)
			}
		}
	}
	return fmt.Sprintf("%d values to each machine and back", rounds), nil
}

// checkPerf: calls at times that do not depend on how fast they are answered.
func checkPerf(s *suite) (string, error) {
	ref, err := proclet.New[Counter](s.t, proclet.Options{On: s.machines[1]})
	if err != nil {
		return "", err
	}
	defer proclet.Release(s.t, ref)
	n, random := s.times(2000), s.random(2)
	times := make([]time.Duration, n)
	due := make([]time.Duration, n)
	for i := range due[1:] {
		due[i+1] = due[i] + time.Duration(random.ExpFloat64()*float64(500*time.Microsecond))
	}
	start := time.Now()
	var next atomic.Int64
	err = together(16, func(int) error {
		for {
			i := next.Add(1) - 1
			if i >= int64(n) {
				return nil
			}
			time.Sleep(due[i] - time.Since(start))
			if _, err := proclet.Call(s.t, ref, (*Counter).Add, 1); err != nil {
				return err
			}
			times[i] = time.Since(start) - due[i] // from when it was to begin
		}
	})
	if err != nil {
		return "", err
	}
	sum, err := proclet.Call(s.t, ref, (*Counter).Add, 0)
	return fmt.Sprintf("%d calls at random times, %s", n, quantiles(times)), errors.Join(err, want("calls executed", sum, int64(n)))
}
