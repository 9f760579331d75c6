package rack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"nuos/drivers/nic"
	"nuos/drivers/nic/nictest"
	"nuos/drivers/nic/port"
)

// world is machines on a segment, in virtual time.
type world struct {
	t   *testing.T
	seg *nictest.Segment
	ctx context.Context // of those who join
	all []*machine      // whose state to show when a test fails
}

// console collects what machines say.
type console struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (c *console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.Write(b)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String()
}

// machine is one incarnation.
type machine struct {
	*Rack
	dev    *nictest.Device
	out    console
	fenced chan struct{}
}

// inWorld runs f in a bubble with a segment, and fails if goroutines are left.
func inWorld(t *testing.T, o nictest.Options, f nictest.Faults, run func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, seg: nictest.New(t, o), ctx: t.Context()}
		w.seg.SetFaults(f)
		run(t, w)
	})
}

func (w *world) config() Config {
	return Config{Name: "test", Key: "key", Build: "build", Machines: 1, Dead: 3 * time.Second}
}

// boot starts a machine on a device, a new one if dev is nil.
func (w *world) boot(dev *nictest.Device, c Config) (*machine, error) {
	if dev == nil {
		dev = w.seg.Attach()
	}
	m := &machine{dev: dev, fenced: make(chan struct{})}
	if c.Port == nil {
		c.Port = port.New(dev, netip.Prefix{})
	}
	c.Console = &m.out
	c.OnFenced = func() { close(m.fenced) }
	r, err := JoinContext(w.ctx, c)
	if err != nil {
		c.Port.Close()
		return m, err
	}
	m.Rack = r
	w.t.Cleanup(func() { m.kill() })
	return m, nil
}

// reboot starts the machine that m was again.
func (w *world) reboot(m *machine, c Config) (*machine, error) {
	dev := w.seg.Attach()
	c.Port = port.New(sameMAC{dev, m.dev}, netip.Prefix{})
	return w.boot(dev, c)
}

// sameMAC is a device with the address of another.
type sameMAC struct {
	*nictest.Device
	former *nictest.Device
}

func (d sameMAC) Info() nic.Info {
	i := d.Device.Info()
	i.MAC = d.former.Info().MAC
	return i
}

// bootAll starts n machines at once.
func (w *world) bootAll(n int, c Config) []*machine {
	w.t.Helper()
	all := make([]*machine, n)
	devs := make([]*nictest.Device, n)
	for i := range devs {
		devs[i] = w.seg.Attach()
	}
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			var err error
			if all[i], err = w.boot(devs[i], c); err != nil {
				w.t.Errorf("machine %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
	return all
}

// kill stops a machine without a word.
func (m *machine) kill() {
	if m.Rack != nil {
		m.e.port.Close()
		m.Close()
	}
}

// await waits, in virtual time, for a condition.
func (w *world) await(what string, cond func() bool) {
	w.t.Helper()
	for range 600 {
		if cond() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, m := range w.all {
		if m.alive() {
			st := m.Status()
			w.t.Logf("machine %d, nonce %x: directory %v, quorum %v, promised %d, view %+v", st.Self, m.e.nonce, st.Directory, st.Quorum, m.acceptor.promised, st.View)
			for _, p := range st.Peers {
				w.t.Logf("    %+v", p)
			}
		}
	}
	w.t.Fatalf("a minute has passed without: %s", what)
}

// agree waits until all machines have the same n members and a directory among
// them that serves.
func (w *world) agree(all []*machine, n int) {
	w.t.Helper()
	w.all = all
	w.await(fmt.Sprintf("%d machines agree on %d members", len(all), n), func() bool {
		leaders := 0
		for _, m := range all {
			if len(m.Members()) != n || m.version() != all[0].version() {
				return false
			}
			if m.Status().Directory {
				leaders++
			}
			if _, ok := m.Directory(); !ok {
				return false
			}
		}
		return leaders <= 1
	})
}

func (m *machine) version() [2]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return [2]uint64{m.view.Epoch, m.view.Version}
}

func (w *world) leader(all []*machine) (int, *machine) {
	w.t.Helper()
	for i, m := range all {
		if m.Status().Directory {
			return i, m
		}
	}
	w.t.Fatal("no directory")
	return 0, nil
}

func without(all []*machine, i int) []*machine {
	return append(append([]*machine{}, all[:i]...), all[i+1:]...)
}

func TestRackForms(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 20} {
		for _, loss := range []float64{0, .2} {
			t.Run(fmt.Sprintf("%d machines, loss %v", n, loss), func(t *testing.T) {
				inWorld(t, nictest.Options{}, nictest.Faults{Loss: loss, Delay: time.Millisecond}, func(t *testing.T, w *world) {
					c := w.config()
					c.Machines = n
					all := w.bootAll(n, c)
					w.agree(all, n)
					seen := map[MachineID]bool{}
					for _, m := range all {
						seen[m.Self().ID] = true
					}
					if len(seen) != n || seen[0] {
						t.Errorf("IDs are %v", seen)
					}
					for _, m := range all {
						m.Handle(ServiceUser, func(q Request) { q.Reply([]byte(fmt.Sprint(q.From))) })
					}
					for _, a := range all[:min(n, 4)] {
						for _, b := range all {
							got, err := a.Call(t.Context(), b.Self().ID, ServiceUser, nil)
							if want := fmt.Sprint(a.Self().ID); err != nil || string(got) != want {
								t.Errorf("Call = %q, %v; want %q", got, err, want)
							}
						}
					}
				})
			})
		}
	}
}

func TestJoinDrainLeave(t *testing.T) {
	inWorld(t, nictest.Options{}, nictest.Faults{}, func(t *testing.T, w *world) {
		all := []*machine{}
		for range 4 {
			m, err := w.boot(nil, w.config())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		w.agree(all, 4)
		left := make(chan MachineID, 1)
		all[1].OnLeave(func(id MachineID) { left <- id })
		all[1].OnDeath(func(id MachineID) { t.Errorf("machine %d is said to be dead", id) })
		var drained atomic.Bool
		all[3].OnDrain(func() { drained.Store(true) })
		if err := all[3].Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.await("draining is known", func() bool { return drained.Load() && all[1].Members()[3].Draining })
		id := all[3].Self().ID
		if err := all[3].Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := <-left; got != id {
			t.Errorf("machine %d has left; want %d", got, id)
		}
		w.agree(all[:3], 3)
		if _, err := all[0].Call(t.Context(), id, ServiceUser, nil); !errors.Is(err, ErrLost) || !errors.Is(err, ErrNotSent) {
			t.Errorf("Call of one that has left = %v", err)
		}
		// The directory leaves too.
		i, d := w.leader(all[:3])
		if err := d.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		rest := without(all[:3], i)
		w.agree(rest, 2)
		if _, err := rest[0].LeaseHeap(1 << 20); err != nil {
			t.Errorf("LeaseHeap from the next directory: %v", err)
		}
	})
}

func TestMachineDies(t *testing.T) {
	inWorld(t, nictest.Options{}, nictest.Faults{Loss: .05}, func(t *testing.T, w *world) {
		c := w.config()
		c.Machines = 3
		all := w.bootAll(3, c)
		w.agree(all, 3)
		i, d := w.leader(all)
		victim, other := all[(i+1)%3], all[(i+2)%3]
		dead := victim.Self().ID
		deaths := make(chan MachineID, 2)
		d.OnDeath(func(id MachineID) { deaths <- id })
		other.OnDeath(func(id MachineID) { deaths <- id })
		block := make(chan struct{})
		defer close(block)
		victim.Handle(ServiceUser, func(q Request) { <-block })
		errs := make(chan error)
		go func() { _, err := other.Call(context.Background(), dead, ServiceUser, nil); errs <- err }()
		time.Sleep(time.Second)
		began := time.Now()
		victim.e.port.Close()
		if err := <-errs; !errors.Is(err, ErrMaybeExecuted) {
			t.Errorf("a call under way = %v", err)
		}
		if took := time.Since(began); took > 3*c.Dead {
			t.Errorf("it took %v to fail", took)
		}
		for range 2 {
			if got := <-deaths; got != dead {
				t.Errorf("machine %d is said to be dead; it is %d", got, dead)
			}
		}
		if _, err := other.Call(t.Context(), dead, ServiceUser, nil); !errors.Is(err, ErrLost) || !errors.Is(err, ErrNotSent) {
			t.Errorf("a new call = %v", err)
		}
		// It boots again.
		victim.kill()
		again, err := w.boot(w.seg.Attach(), c)
		if err != nil {
			t.Fatal(err)
		}
		if id := again.Self().ID; id <= dead {
			t.Errorf("the new incarnation is %d; the old was %d", id, dead)
		}
		w.agree([]*machine{d, other, again}, 3)
	})
}

func TestDirectoryDies(t *testing.T) {
	for _, n := range []int{3, 5} {
		inWorld(t, nictest.Options{}, nictest.Faults{Loss: .02}, func(t *testing.T, w *world) {
			c := w.config()
			c.Machines = n
			all := w.bootAll(n, c)
			w.agree(all, n)
			ctx := t.Context()
			for i, m := range all {
				name := fmt.Sprint("name", i)
				if got, err := m.Bind(ctx, name, []byte(name)); err != nil || string(got) != name {
					t.Fatalf("Bind = %q, %v", got, err)
				}
				if got, err := all[0].Bind(ctx, name, []byte("late")); err != nil || string(got) != name {
					t.Fatalf("second Bind = %q, %v", got, err)
				}
				m.Publish(uint64(i+1), Location{m.Self().ID, 3})
				m.OnReport(func() map[uint64]Location {
					return map[uint64]Location{uint64(i + 1): {m.Self().ID, 3}}
				})
			}
			a, err := all[0].LeaseHeap(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			i, d := w.leader(all)
			epoch := d.Epoch()
			d.kill()
			rest := without(all, i)
			w.agree(rest, n-1)
			_, next := w.leader(rest)
			if next.Epoch() <= epoch {
				t.Errorf("epoch %d after %d", next.Epoch(), epoch)
			}
			for j, m := range all {
				name := fmt.Sprint("name", j)
				if got, err := rest[0].Resolve(ctx, name); err != nil || string(got) != name {
					t.Errorf("Resolve(%s) = %q, %v", name, got, err)
				}
				if m == d {
					continue
				}
				if at, err := rest[1].Relocate(ctx, uint64(j+1)); err != nil || at != (Location{m.e0(), 3}) {
					t.Errorf("Relocate(%d) = %v, %v", j+1, at, err)
				}
			}
			for _, m := range rest {
				for range 3 {
					b, err := m.LeaseHeap(2 << 30)
					if err != nil {
						t.Fatal(err)
					}
					if a.Base < b.End() && b.Base < a.End() {
						t.Errorf("leases %v and %v overlap", a, b)
					}
				}
			}
		})
	}
}

func (m *machine) e0() MachineID { return MachineID(m.e.id.Load()) }

func TestRebootOfDirectoryOfTwo(t *testing.T) {
	inWorld(t, nictest.Options{}, nictest.Faults{}, func(t *testing.T, w *world) {
		c := w.config()
		c.Machines = 2
		all := w.bootAll(2, c)
		w.agree(all, 2)
		i, d := w.leader(all)
		other := all[1-i]
		if _, err := d.Bind(t.Context(), "n", []byte("v")); err != nil {
			t.Fatal(err)
		}
		d.kill()
		time.Sleep(5 * time.Second)
		// Alone it decides nothing.
		if _, err := other.Bind(t.Context(), "m", nil); !errors.Is(err, ErrNoDirectory) {
			t.Errorf("Bind without a directory = %v", err)
		}
		again, err := w.reboot(d, c)
		if err != nil {
			t.Fatal(err)
		}
		w.agree([]*machine{other, again}, 2)
		if got, err := again.Resolve(t.Context(), "n"); err != nil || string(got) != "v" {
			t.Errorf("Resolve = %q, %v", got, err)
		}
	})
}

func TestPartition(t *testing.T) {
	inWorld(t, nictest.Options{}, nictest.Faults{}, func(t *testing.T, w *world) {
		c := w.config()
		c.Machines = 5
		all := w.bootAll(5, c)
		w.agree(all, 5)
		i, d := w.leader(all)
		rest := without(all, i)
		minority, majority := []*machine{d, rest[0]}, rest[1:]
		w.seg.Partition(devices(minority), devices(majority))
		done := make(chan struct{})
		go func() { // nobody may decide in the epoch of another
			defer close(done)
			for range 300 {
				leaders := map[uint64]int{}
				for _, m := range all {
					if m.Status().Directory {
						leaders[m.Epoch()]++
					}
				}
				for epoch, n := range leaders {
					if n > 1 {
						t.Errorf("%d directories in epoch %d", n, epoch)
					}
				}
				time.Sleep(100 * time.Millisecond)
			}
		}()
		w.agree(majority, 3)
		if _, err := majority[0].Bind(t.Context(), "n", []byte("majority")); err != nil {
			t.Errorf("Bind in the majority: %v", err)
		}
		if _, err := minority[1].Bind(t.Context(), "n", []byte("minority")); !errors.Is(err, ErrNoDirectory) {
			t.Errorf("Bind in the minority = %v", err)
		}
		w.seg.Heal()
		for _, m := range minority {
			<-m.fenced
			if _, err := m.Call(t.Context(), majority[0].Self().ID, ServiceUser, nil); !errors.Is(err, ErrFenced) {
				t.Errorf("Call by a fenced machine = %v", err)
			}
		}
		<-done
		w.agree(majority, 3)
	})
}

func devices(all []*machine) (d []*nictest.Device) {
	for _, m := range all {
		d = append(d, m.dev)
	}
	return d
}

func TestOtherBuildIsRefused(t *testing.T) {
	inWorld(t, nictest.Options{}, nictest.Faults{}, func(t *testing.T, w *world) {
		c := w.config()
		c.Machines = 2
		all := w.bootAll(2, c)
		c.Build = "another"
		m, err := w.boot(nil, c)
		if !errors.Is(err, ErrRefused) {
			t.Errorf("Join = %v", err)
		}
		if !strings.Contains(m.out.String(), "refused by machine") {
			t.Errorf("its console says %q", m.out.String())
		}
		time.Sleep(time.Second)
		if !strings.Contains(all[0].out.String()+all[1].out.String(), "runs another build") {
			t.Errorf("the rack's consoles say %q", all[0].out.String())
		}
		w.agree(all, 2)
	})
}

func TestTwoRacksOnASegment(t *testing.T) {
	inWorld(t, nictest.Options{}, nictest.Faults{}, func(t *testing.T, w *world) {
		one, two := w.config(), w.config()
		one.Machines, two.Machines = 2, 2
		two.Key = "another key"
		var a, b []*machine
		var wg sync.WaitGroup
		wg.Go(func() { a = w.bootAll(2, one) })
		wg.Go(func() { b = w.bootAll(2, two) })
		wg.Wait()
		w.agree(a, 2)
		w.agree(b, 2)
		if a[0].Status().View.Rack == b[0].Status().View.Rack {
			t.Error("the racks are one")
		}
		if a[0].Status().Dropped["forged"] == 0 {
			t.Errorf("dropped: %v", a[0].Status().Dropped)
		}
	})
}

func TestObserver(t *testing.T) {
	inWorld(t, nictest.Options{}, nictest.Faults{}, func(t *testing.T, w *world) {
		c := w.config()
		c.Machines = 2
		all := w.bootAll(2, c)
		w.agree(all, 2)
		for _, m := range all {
			m.Handle(ServiceProcletAdmin, func(q Request) { q.Reply([]byte("admin")) })
			m.Handle(ServiceUser, func(q Request) { q.Reply([]byte("user")) })
		}
		c.Observer, c.Build = true, "another"
		o, err := w.boot(nil, c)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(o.Members()); n != 2 {
			t.Fatalf("it sees %d members", n)
		}
		for _, m := range o.Members() {
			if got, err := o.Call(t.Context(), m.ID, ServiceProcletAdmin, nil); err != nil || string(got) != "admin" {
				t.Errorf("Call = %q, %v", got, err)
			}
			if _, err := o.Call(t.Context(), m.ID, ServiceUser, nil); !errors.Is(err, ErrForbidden) {
				t.Errorf("Call of an ordinary service = %v", err)
			}
		}
		w.agree(all, 2)
	})
}
