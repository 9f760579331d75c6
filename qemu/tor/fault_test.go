package tor

import (
	"bytes"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// sink takes what comes out of a port, at what time. It is a wire.
type sink struct {
	frames [][]byte
	at     []time.Time
}

func (s *sink) deliver(framed []byte, _ time.Duration) (int, error) {
	return splitFrames(framed, func(f []byte) {
		s.frames = append(s.frames, append([]byte(nil), f...))
		s.at = append(s.at, time.Now())
	})
}

func (s *sink) close() {}

// through sends count frames over a link with faults and returns what comes
// out, in simulated time.
func through(t *testing.T, seed uint64, f Faults, count int) (out *sink, s Stats) {
	out = &sink{}
	synctest.Test(t, func(t *testing.T) {
		sw := New(seed)
		defer sw.Close()
		in, to := sw.AddPort("in"), sw.AddPort("out")
		if err := to.out.plug(out, nil); err != nil {
			t.Fatal(err)
		}
		if err := to.SetFaults(f); err != nil {
			t.Fatal(err)
		}
		var b batch
		for i := range count {
			in.receive(&b, frame(everybody, [6]byte{2}, i, 60+i%1000))
			b.flush()
			time.Sleep(10 * time.Microsecond)
		}
		time.Sleep(time.Minute) // simulated: all is out
		synctest.Wait()
		s = to.Stats()
	})
	return out, s
}

// near reports whether a count of n trials is within five standard deviations
// of what the probability promises.
func near(got uint64, n int, p float64) bool {
	return math.Abs(float64(got)-float64(n)*p) <= 5*math.Sqrt(float64(n)*p*(1-p))
}

func TestFaultRates(t *testing.T) {
	const n = 20000
	f := Faults{Loss: 0.02, Duplicate: 0.03, Corrupt: 0.04, Reorder: 0.05}
	for _, seed := range []uint64{1, 2, 0xfeedbeef} {
		out, s := through(t, seed, f, n)
		passed := n - int(s.Lost)
		if !near(s.Lost, n, f.Loss) || !near(s.Duplicated, passed, f.Duplicate) ||
			!near(s.Corrupted, passed, f.Corrupt) || !near(s.Reordered, passed+int(s.Duplicated), f.Reorder) {
			t.Errorf("seed %d: %+v of %d frames at %+v", seed, s, n, f)
		}
		if want := passed + int(s.Duplicated); len(out.frames) != want {
			t.Errorf("seed %d: %d frames came out; want %d", seed, len(out.frames), want)
		}
		changed, last, overtaken := 0, -1, 0
		for _, got := range out.frames {
			number := numberOf(got)
			if number < 0 || number >= n || !bytes.Equal(got, frame(everybody, [6]byte{2}, number, 60+number%1000)) {
				changed++
			} else if number < last {
				overtaken++
			} else {
				last = number
			}
		}
		if uint64(changed) < s.Corrupted || changed > 2*int(s.Corrupted) { // a corrupt one may be doubled
			t.Errorf("seed %d: %d frames changed, %d corrupted", seed, changed, s.Corrupted)
		}
		if overtaken == 0 {
			t.Errorf("seed %d: no frame was overtaken", seed)
		}
	}
}

func TestEqualSeedsEqualFaults(t *testing.T) {
	f := Faults{Loss: 0.1, Duplicate: 0.1, Corrupt: 0.1, Reorder: 0.1, Delay: time.Millisecond, Jitter: time.Millisecond}
	a, _ := through(t, 42, f, 2000)
	b, _ := through(t, 42, f, 2000)
	c, _ := through(t, 43, f, 2000)
	same := func(x, y *sink) bool {
		if len(x.frames) != len(y.frames) {
			return false
		}
		for i := range x.frames {
			if !bytes.Equal(x.frames[i], y.frames[i]) {
				return false
			}
		}
		return true
	}
	if !same(a, b) {
		t.Error("the same seed gave different faults")
	}
	if same(a, c) {
		t.Error("different seeds gave the same faults")
	}
}

func TestDelay(t *testing.T) {
	const delay, jitter = 5 * time.Millisecond, 2 * time.Millisecond
	out, s := through(t, 7, Faults{Delay: delay, Jitter: jitter}, 500)
	if len(out.frames) != 500 || s.Delayed != 500 {
		t.Fatalf("%d frames came out, %d delayed; want 500", len(out.frames), s.Delayed)
	}
	// Frames were sent every 10 µs, the first one at time zero of a simulated
	// clock that only sleeping moves.
	zero := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, f := range out.frames {
		late := out.at[i].Sub(zero) - time.Duration(numberOf(f))*10*time.Microsecond
		if late < delay || late >= delay+jitter {
			t.Errorf("frame %d took %v; want from %v to %v", numberOf(f), late, delay, delay+jitter)
		}
	}
}

func TestDownAndBadFaults(t *testing.T) {
	if out, s := through(t, 1, Faults{Down: true}, 10); len(out.frames) != 0 || s.Lost != 10 {
		t.Errorf("a link that is down passed %d frames, lost %d", len(out.frames), s.Lost)
	}
	sw := newSwitch(t)
	p := sw.AddPort("p")
	for _, f := range []Faults{{Loss: -0.1}, {Corrupt: 1.5}, {Delay: -1}, {Duplicate: math.NaN()}} {
		if err := p.SetFaults(f); err == nil {
			t.Errorf("SetFaults(%+v) succeeded", f)
		}
	}
}

// Everybody sends to everybody over bad links, through a partition, to itself
// and to the void: each frame must turn up in one counter.
func TestFramesAreAccountedFor(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		synctest.Test(t, func(t *testing.T) {
			sw := New(seed)
			defer sw.Close()
			var ports []*Port
			for i := range 4 {
				p := sw.AddPort("p")
				if err := p.out.plug(&sink{}, nil); err != nil {
					t.Fatal(err)
				}
				err := p.SetFaults(Faults{Loss: 0.05, Duplicate: 0.05, Corrupt: 0.05, Reorder: 0.05, Jitter: time.Duration(i) * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				ports = append(ports, p)
			}
			sw.AddPort("nothing plugged in")
			var b batch
			for i := range 5000 {
				from, to := i%4, (i/4)%5
				ports[from].receive(&b, frame([6]byte{2, byte(to)}, [6]byte{2, byte(from)}, i, 60))
				b.flush()
				switch i {
				case 2000:
					sw.Partition(ports[:2], ports[2:])
				case 3000:
					sw.Partition()
					sw.RemovePort(ports[3])
				}
				if i%10 == 0 {
					ports[1].Inject([]byte{1})
				}
				time.Sleep(10 * time.Microsecond)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			s := sw.Totals()
			in, out := s.RxFrames+s.Injected+s.Duplicated+s.Flooded, s.TxFrames+s.Lost+s.Dropped+s.Partitioned+s.Filtered
			if in != out || s.RxFrames == 0 || s.Lost*s.Dropped*s.Partitioned*s.Filtered*s.Flooded*s.Injected == 0 {
				t.Errorf("seed %d: %d frames in, %d out: %+v", seed, in, out, s)
			}
		})
	}
}
