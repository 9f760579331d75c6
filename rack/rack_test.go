package rack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nuos/drivers/nic/nictest"
)

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
