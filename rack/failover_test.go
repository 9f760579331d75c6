package rack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"nuos/drivers/nic/nictest"
	"nuos/mm"
)

// TestFailOver: the directory dies while every machine looks up, binds and
// publishes. All are served again within 300 ms, no request fails, and nothing
// that was acknowledged is lost.
func TestFailOver(t *testing.T) {
	for range 12 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("%#x", seed), func(t *testing.T) {
			inWorld(t, nictest.Options{Seed: seed}, nictest.Faults{Delay: 50 * time.Microsecond}, func(t *testing.T, w *world) {
				dice := rand.New(rand.NewPCG(seed, 1))
				c := w.config()
				c.Machines = 3 + dice.IntN(5)
				all := w.bootAll(c.Machines, c)
				w.agree(all, c.Machines)
				want := replicas(c.Machines)
				w.await("the copies", func() bool { _, d := w.leader(all); return len(d.Status().Replica.Voters) == want })
				i, d := w.leader(all)
				rest := without(all, i)

				var died time.Time
				var mu sync.Mutex // guards slowest
				var slowest time.Duration
				names := map[string]string{}
				ctx, stop := context.WithCancel(t.Context())
				var load sync.WaitGroup
				for i, m := range rest {
					dice := rand.New(rand.NewPCG(seed, uint64(i)+2))
					load.Go(func() {
						for n := 0; ctx.Err() == nil; n++ {
							began := time.Now()
							name := fmt.Sprint(m.e0(), "-", n)
							m.Publish(uint64(i)<<32|uint64(n), Location{m.e0(), 1})
							_, err := m.Bind(ctx, name, []byte(name))
							if err == nil {
								_, err = m.Relocate(ctx, uint64(i)<<32|dice.Uint64N(uint64(n)+1))
							}
							if ctx.Err() != nil {
								return
							}
							if err != nil && !errors.Is(err, ErrNotFound) {
								t.Errorf("machine %d: %v", m.e0(), err)
							}
							mu.Lock()
							names[name] = name
							slowest = max(slowest, time.Since(began))
							mu.Unlock()
							time.Sleep(time.Duration(dice.IntN(2000)) * time.Microsecond)
						}
					})
				}
				time.Sleep(time.Duration(50+dice.IntN(50)) * time.Millisecond)
				died = time.Now()
				d.kill()
				time.Sleep(time.Until(died.Add(time.Second)))
				stop()
				load.Wait()
				if slowest > 300*time.Millisecond {
					t.Errorf("a request took %v while the directory died", slowest)
				}
				for name, want := range names {
					got, err := rest[0].Resolve(t.Context(), name)
					if err != nil || string(got) != want {
						t.Fatalf("Resolve(%s) = %q, %v", name, got, err)
					}
				}
				t.Logf("%d machines: slowest request %v, %d names", c.Machines, slowest, len(names))
			})
		})
	}
}

// TestDirectoryIsAskedSeldom: what is known is not asked for, and what is
// published travels in batches.
func TestDirectoryIsAskedSeldom(t *testing.T) {
	inWorld(t, nictest.Options{}, nictest.Faults{Delay: time.Millisecond}, func(t *testing.T, w *world) {
		c := w.config()
		c.Machines = 3
		all := w.bootAll(3, c)
		w.agree(all, 3)
		i, d := w.leader(all)
		m := without(all, i)[0]
		const n = 10000
		for _, m := range all {
			if n := len(m.Status().Peers); n > 2 { // it is no peer of itself
				t.Errorf("machine %d has %d peers of 2", m.e0(), n)
			}
		}
		before := m.Status().Asked
		for id := range uint64(n) {
			m.Publish(id+1, Location{m.e0(), 1})
		}
		w.await("all locations", func() bool { return d.Status().Replica.Proclets == n })
		// The first goes at once, alone or with few; what gathers meanwhile follows.
		if asked := m.Status().Asked - before; asked < 1 || asked > 3 {
			t.Errorf("%d locations took %d requests", n, asked)
		}
		if _, err := m.Bind(t.Context(), "name", []byte("value")); err != nil {
			t.Fatal(err)
		}
		if _, err := m.LeaseHeap(1 << 20); err != nil {
			t.Fatal(err)
		}
		before = m.Status().Asked
		for id := range uint64(n) {
			if at, err := m.Locate(t.Context(), id+1); err != nil || at != (Location{m.e0(), 1}) {
				t.Fatalf("Locate(%d) = %v, %v", id+1, at, err)
			}
			if _, err := m.Resolve(t.Context(), "name"); err != nil {
				t.Fatal(err)
			}
		}
		for range 100 {
			if _, err := m.LeaseHeap(1 << 20); err != nil {
				t.Fatal(err)
			}
		}
		if asked := m.Status().Asked - before; asked != 0 {
			t.Errorf("what is known here was asked for %d times", asked)
		}
	})
}

// TestWithoutDirectory: most machines are dead, nobody leads, and those who remain
// call each other, send each other memory and publish where it is now: all that a
// migration does.
func TestWithoutDirectory(t *testing.T) {
	inWorld(t, nictest.Options{}, nictest.Faults{Delay: time.Millisecond}, func(t *testing.T, w *world) {
		c := w.config()
		c.Machines = 5
		all := w.bootAll(5, c)
		w.agree(all, 5)
		a, b := all[0], all[1]
		memory, into := rangeOf(make([]byte, 4096)), rangeOf(make([]byte, 4096))
		b.Handle(ServiceMigrate, func(q Request) { q.Reply(nil) })
		for _, m := range all[2:] {
			m.kill()
		}
		time.Sleep(500 * time.Millisecond)
		if a.Status().Directory || b.Status().Directory {
			t.Fatal("somebody leads two machines of five")
		}
		began := time.Now()
		if _, err := a.Call(t.Context(), b.e0(), ServiceMigrate, nil); err != nil {
			t.Fatal(err)
		}
		transfer := a.NewTransfer()
		sent := make(chan error, 1)
		go func() { sent <- a.SendBulk(t.Context(), b.e0(), transfer, []mm.Range{memory}) }()
		if err := b.ReceiveBulk(t.Context(), a.e0(), transfer, []mm.Range{into}); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		b.Publish(7, Location{b.e0(), 1})
		a.Learn(7, Location{b.e0(), 1})
		if at, err := a.Locate(t.Context(), 7); err != nil || at.Machine != b.e0() {
			t.Errorf("Locate = %v, %v", at, err)
		}
		if took := time.Since(began); took > 20*time.Millisecond {
			t.Errorf("it took %v, as if it waited for a directory", took)
		}
		if _, err := a.Bind(t.Context(), "name", nil); !errors.Is(err, ErrNoDirectory) {
			t.Errorf("Bind = %v", err)
		}
	})
}

// TestOneOfTwo: the directory of two machines goes on alone when the other one
// dies, and the other one waits when the directory does; with what both knew.
func TestOneOfTwo(t *testing.T) {
	for _, dies := range []string{"directory", "other"} {
		t.Run(dies, func(t *testing.T) {
			inWorld(t, nictest.Options{}, nictest.Faults{Delay: time.Millisecond}, func(t *testing.T, w *world) {
				c := w.config()
				c.Machines = 2
				all := w.bootAll(2, c)
				w.agree(all, 2)
				i, d := w.leader(all)
				stays, goes := d, all[1-i]
				if dies == "directory" {
					stays, goes = goes, d
				}
				if _, err := goes.Bind(t.Context(), "name", []byte("value")); err != nil {
					t.Fatal(err)
				}
				epoch := stays.Epoch()
				goes.kill()
				time.Sleep(3 * c.Dead)
				if leads := stays.Status().Directory; leads != (dies == "other") {
					t.Errorf("the one that stays leads: %v", leads)
				}
				if dies == "directory" {
					return
				}
				w.agree([]*machine{stays}, 1)
				if stays.Epoch() <= epoch {
					t.Errorf("epoch %d after %d", stays.Epoch(), epoch)
				}
				if got, err := stays.Resolve(t.Context(), "name"); err != nil || string(got) != "value" {
					t.Errorf("Resolve = %q, %v", got, err)
				}
				if _, err := w.boot(nil, c); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
