package balance

import (
	"context"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nuos/drivers/nic/nictest"
	"nuos/drivers/nic/port"
	"nuos/migrate"
	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
	"nuos/rack/placement"
)

// world is a rack of machines of this process on a segment. Each has memory and processors of its own,
// as far as its Balancer knows.
type world struct {
	t       testing.TB
	segment *nictest.Segment

	mu       sync.RWMutex
	machines []*machine // also those that have left
}

type machine struct {
	rack     *rack.Rack
	proclets *proclet.Runtime
	migrator *migrate.Migrator
	balancer *Balancer

	total      uint64        // bytes of memory
	taken      atomic.Uint64 // of it, by others than proclets
	processors int
	left       bool
}

const kib = 1 << 10

// quick is the policy of tests: what settles does so sooner.
func quick() placement.Policy {
	p := placement.Default()
	p.Residence, p.Settle = 20*time.Millisecond, 50*time.Millisecond
	return p
}

// memory is what machines have, unless a test says otherwise: the watermark is 2 MiB of it.
const memory = 8 << 20

func newWorld(t testing.TB) *world {
	w := &world{t: t, segment: nictest.New(t, nictest.Options{})}
	t.Cleanup(func() {
		for _, m := range w.machines {
			if t.Failed() {
				for _, e := range m.balancer.events.after(0) {
					t.Log(e)
				}
			}
			if !m.left {
				m.rack.Close()
			}
		}
		// The next test begins with the same addresses.
		await(t, "all memory is given back", func() bool { return mm.Frames().Heaps == 0 })
	})
	return w
}

// boot boots n machines at once.
func (w *world) boot(n int, p placement.Policy) {
	w.t.Helper()
	booted := make([]*machine, n)
	var all sync.WaitGroup
	for i := range booted {
		card := port.New(w.segment.Attach(), netip.Prefix{})
		w.t.Cleanup(func() { card.Close() })
		all.Go(func() {
			var console strings.Builder
			r, err := rack.Join(rack.Config{Name: "balance", Key: "key", Machines: len(w.live()) + n, Port: card, Build: "test", Console: &console, OnFenced: func() {}})
			if err != nil {
				w.t.Errorf("machine %d: %v\n%s", i, err, console.String())
				return
			}
			booted[i] = &machine{rack: r, total: memory, processors: 1}
		})
	}
	all.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
	for _, m := range booted {
		m.proclets = proclet.Serve(m.rack)
		m.migrator = migrate.New(m.rack, &oneMemory{Runtime: m.proclets, world: w, arrives: map[proclet.ID]proclet.Description{}}, 30*time.Second)
		m.rack.Handle(rack.ServiceMigrate, func(q rack.Request) {
			m.migrator.Receive(q.From, q.Data, func(err error) {
				if err != nil {
					q.Fail(err)
					return
				}
				q.Reply(nil)
			})
		})
		m.rack.OnDeath(m.migrator.Died)
		m.balancer = newBalancer(m.rack, m.proclets, m.migrator, p)
		m.balancer.sample = m.sample
		m.rack.Handle(rack.ServiceEvents, m.balancer.events.serve)
		w.mu.Lock()
		w.machines = append(w.machines, m)
		w.mu.Unlock()
	}
}

// leave has the machine where a proclet lives give it up.
func (w *world) leave(id proclet.ID, to rack.MachineID) {
	w.mu.RLock()
	all := w.machines
	w.mu.RUnlock()
	for _, m := range all {
		<-m.proclets.Depart(id, to)
	}
}

// start has all machines that were booted begin to look at themselves.
func (w *world) start() {
	for _, m := range w.live() {
		if m.balancer.State().Total == 0 {
			m.balancer.start(m.rack.Done())
		}
	}
}

func (w *world) live() (all []*machine) {
	for _, m := range w.machines {
		if !m.left {
			all = append(all, m)
		}
	}
	return all
}

func (m *machine) id() rack.MachineID { return m.rack.Self().ID }

// sample is what m has of memory and processors.
func (m *machine) sample() placement.Sample {
	used, busy := m.taken.Load(), 0
	for _, l := range m.proclets.Loads() {
		used += l.Mapped
		if l.Processors > .5 {
			busy++
		}
	}
	running := min(busy, m.processors)
	return placement.Sample{Free: m.total - min(used, m.total), Total: m.total, Processors: m.processors, Running: running, Waiting: busy - running}
}

func (m *machine) proclet() *proclet.Thread { return m.proclets.Current() }

func (m *machine) count() int { return len(m.proclets.Proclets()) }

// moves is how many proclets have moved so far.
func (w *world) moves() (n uint64) {
	for _, m := range w.machines {
		n += m.migrator.Stats().Made
	}
	return n
}

// events returns what all machines have decided, asked for as nuos events does.
func (w *world) events(what string) (all []Event) {
	for _, m := range w.live() {
		for after := uint64(0); ; {
			some, err := AskEvents(context.Background(), w.live()[0].rack, m.id(), after)
			if err != nil {
				w.t.Fatal(err)
			}
			if len(some) == 0 {
				break
			}
			for _, e := range some {
				if after = e.Seq; e.What == what {
					all = append(all, e)
				}
			}
		}
	}
	return all
}

func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// blob is a proclet of some size that counts.
type blob struct {
	bytes proclet.Bytes
	n     int64
	spin  proclet.Promise[struct{}]
}

func (b *blob) Grow(t *proclet.Thread, n int) (struct{}, error) {
	return struct{}{}, b.bytes.Append(t, make([]byte, n))
}

func (b *blob) Add(t *proclet.Thread, d int64) (int64, error) {
	b.n += d // a test calls it from one goroutine at a time
	return b.n, nil
}

// Compute has the proclet use a processor until Rest.
func (b *blob) Compute(t *proclet.Thread, _ struct{}) (struct{}, error) {
	_, err := proclet.Start(t, (*blob).compute, struct{}{})
	return struct{}{}, err
}

func (b *blob) compute(t *proclet.Thread, _ struct{}) {
	for !b.spin.Kept() {
		for range 1000 {
		}
		t.Checkpoint()
		runtime.Gosched() // all machines of this process share its processors
	}
}

func (b *blob) Rest(t *proclet.Thread, _ struct{}) (struct{}, error) {
	return struct{}{}, b.spin.Set(t, struct{}{})
}

// put makes n blobs of some bytes on m. They are destroyed when the test ends.
func (w *world) put(m *machine, n, bytes int) (all []proclet.Ref[blob]) {
	w.t.Helper()
	for range n {
		ref, err := proclet.New[blob](m.proclet(), proclet.Options{On: m.id(), Capacity: 1 << 20})
		if err == nil {
			_, err = proclet.Call(m.proclet(), ref, (*blob).Grow, bytes)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, ref)
	}
	return all
}

// end destroys proclets, from wherever there is a machine.
func (w *world) end(all []proclet.Ref[blob]) {
	for _, ref := range all {
		if err := proclet.Destroy(w.live()[0].proclet(), ref); err != nil {
			w.t.Errorf("%v: %v", ref.ID(), err)
		}
	}
}
