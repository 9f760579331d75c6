package dist

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nuos/drivers/nic/nictest"
	"nuos/drivers/nic/port"
	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
)

// world is a rack of machines in this process.
type world struct {
	runtimes []*proclet.Runtime
}

// TestMain joins the rack of the examples, which is that of proclet.Current. No
// test uses it.
func TestMain(m *testing.M) {
	e := &examples{}
	join(e, 2)
	code := m.Run()
	for i := len(e.cleanups) - 1; i >= 0; i-- {
		e.cleanups[i]()
	}
	os.Exit(code)
}

// examples stands in for a test.
type examples struct {
	testing.TB
	cleanups []func()
}

func (*examples) Helper()             {}
func (*examples) Logf(string, ...any) {}
func (*examples) Failed() bool        { return false }
func (e *examples) Cleanup(f func())  { e.cleanups = append(e.cleanups, f) }
func (*examples) Errorf(f string, args ...any) {
	panic(fmt.Sprintf(f, args...))
}

// join makes a rack of n machines.
func join(t testing.TB, n int) *world {
	t.Helper()
	seg := nictest.New(t, nictest.Options{})
	racks := make([]*rack.Rack, n)
	var wg sync.WaitGroup
	for i := range racks {
		p := port.New(seg.Attach(), netip.Prefix{})
		t.Cleanup(func() { p.Close() })
		wg.Go(func() {
			var console strings.Builder
			r, err := rack.Join(rack.Config{
				Name: "dist", Key: "key", Machines: n, Port: p, Build: "test", Console: &console, OnFenced: func() {},
			})
			if err != nil {
				t.Errorf("machine %d: %v\n%s", i, err, console.String())
			}
			racks[i] = r
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	w := &world{}
	for _, r := range racks {
		t.Cleanup(func() { r.Close() })
		w.runtimes = append(w.runtimes, proclet.Serve(r))
	}
	t.Cleanup(func() { w.clear(t) })
	return w
}

// thread returns the Thread of ordinary goroutines of a machine.
func (w *world) thread(i int) *proclet.Thread { return w.runtimes[i%len(w.runtimes)].Current() }

// clear destroys what tests have left: the next rack uses the same addresses. It
// gives up when that takes for ever: who is inside may wait for what a test that
// has failed has not come to do.
func (w *world) clear(t testing.TB) {
	patience := 30 * time.Second
	if t.Failed() {
		patience = time.Second
	}
	cleared := make(chan struct{})
	go func() {
		defer close(cleared)
		for w.proclets() > 0 {
			w.destroyAll()
			time.Sleep(time.Millisecond) // what nobody holds any more is being ended
		}
	}()
	select {
	case <-cleared:
	case <-time.After(patience):
		t.Errorf("%d proclets cannot be destroyed", w.proclets())
	}
}

func (w *world) destroyAll() {
	for _, rt := range w.runtimes {
		for _, p := range rt.Proclets() {
			if id, err := proclet.ParseID(p.ID); err == nil {
				rt.Destroy(id)
			}
		}
	}
}

// proclets returns how many proclets there are.
func (w *world) proclets() (n int) {
	for _, rt := range w.runtimes {
		n += len(rt.Proclets())
	}
	return n
}

// seeded returns a random source and logs how to get it again.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// shuffle moves proclets to other machines until the test calls the function that
// it returns, which says how many moves there were.
func (w *world) shuffle(t testing.TB, random *rand.Rand) (stop func() int) {
	done, moves := make(chan struct{}), 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			from := w.runtimes[random.IntN(len(w.runtimes))]
			to := w.runtimes[random.IntN(len(w.runtimes))]
			if all := from.Proclets(); from != to && len(all) > 0 {
				id, err := proclet.ParseID(all[random.IntN(len(all))].ID)
				if err != nil {
					t.Error(err)
					return
				}
				if move(t, from, to, id) {
					moves++
				}
			}
			time.Sleep(time.Duration(random.IntN(500)) * time.Microsecond) // not all the time: it is to get somewhere on one processor, too
		}
	})
	return func() int {
		close(done)
		wg.Wait()
		return moves
	}
}

// move moves a proclet if it is there and ready to leave. The machines share the
// addresses of this process, so its bytes are put aside in between.
func move(t testing.TB, from, to *proclet.Runtime, id proclet.ID) bool {
	if err := from.BeginLeave(id, 100*time.Millisecond); err != nil {
		t.Logf("move %v: %v", id, err)
		return false
	}
	d, err := from.Describe(id)
	if err != nil {
		t.Error(err)
		return false
	}
	var saved [][]byte
	for _, u := range d.Used {
		saved = append(saved, slices.Clone(mm.Bytes(u)))
	}
	<-from.Depart(id, to.Current().Machine())
	if err := to.Prepare(d); err != nil {
		t.Error(err)
		return false
	}
	for i, u := range d.Used {
		copy(mm.Bytes(u), saved[i])
	}
	if err := to.Adopt(id); err != nil {
		t.Error(err)
		return false
	}
	return true
}

// waitFor waits for something that others bring about.
func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
