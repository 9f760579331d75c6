package rack

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"

	"nuos/drivers/nic/nictest"
)

// orders returns every order of 0 to n-1.
func orders(n int) (all [][]int) {
	if n == 0 {
		return [][]int{{}}
	}
	for _, o := range orders(n - 1) {
		for at := range n {
			next := append(append(append([]int{}, o[:at]...), n-1), o[at:]...)
			all = append(all, next)
		}
	}
	return all
}

// TestLeaveInEveryOrder: whoever leaves first, the directory or another, all get
// away without an error, the last one, too.
func TestLeaveInEveryOrder(t *testing.T) {
	for n := 1; n <= 4; n++ {
		for _, order := range orders(n) {
			t.Run(fmt.Sprint(order), func(t *testing.T) {
				inWorld(t, nictest.Options{}, nictest.Faults{Delay: time.Millisecond}, func(t *testing.T, w *world) {
					c := w.config()
					c.Machines = n
					all := w.bootAll(n, c)
					w.agree(all, n)
					for _, i := range order {
						if err := all[i].Leave(t.Context()); err != nil {
							t.Fatalf("machine %d: %v", all[i].Self().ID, err)
						}
					}
				})
			})
		}
	}
}

// TestLeaveAtOnce: machines leave at about the same time, while frames are lost
// and elections, which take the office away from a directory that had it, begin
// for no reason.
func TestLeaveAtOnce(t *testing.T) {
	for range 40 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("%#x", seed), func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 1))
			faults := nictest.Faults{Loss: .1 * dice.Float64(), Delay: time.Millisecond, Jitter: 2 * time.Millisecond}
			inWorld(t, nictest.Options{Seed: seed}, faults, func(t *testing.T, w *world) {
				n := 1 + dice.IntN(5)
				c := w.config()
				c.Machines = n
				all := w.bootAll(n, c)
				w.agree(all, n)
				var leaving sync.WaitGroup
				staying := dice.IntN(n)
				for i, m := range all {
					wait := time.Duration(dice.Int64N(int64(1) << (10 + dice.IntN(22))))
					candidate := dice.IntN(2) == 0
					leaving.Go(func() {
						time.Sleep(wait)
						if candidate {
							m.usurp()
						}
						if i < staying {
							return
						}
						if err := m.Leave(t.Context()); err != nil {
							t.Errorf("machine %d: %v", m.Self().ID, err)
						}
					})
				}
				leaving.Wait()
				if staying > 0 {
					w.agree(all[:staying], staying)
				}
			})
		})
	}
}

// usurp has the machine stand for election though it hears the directory, which
// loses its office over it.
func (m *machine) usurp() {
	m.directory.mu.Lock()
	defer m.directory.mu.Unlock()
	if p := m.directory.replica; p != nil {
		_ = p.raw.Step(pb.Message{Type: pb.MsgTimeoutNow, From: p.id, To: p.id, Term: p.raw.BasicStatus().Term})
		m.directory.kick()
	}
}

// TestDirectoryLosesOfficeWhileLeaving: the view without the directory has been
// proposed, but before it is decided another machine has stood for election, in
// vain.
func TestDirectoryLosesOfficeWhileLeaving(t *testing.T) {
	for n := 2; n <= 5; n++ {
		t.Run(fmt.Sprint(n, " machines"), func(t *testing.T) {
			inWorld(t, nictest.Options{}, nictest.Faults{Delay: time.Millisecond}, func(t *testing.T, w *world) {
				c := w.config()
				c.Machines = n
				all := w.bootAll(n, c)
				w.agree(all, n)
				i, d := w.leader(all)
				rest := without(all, i)
				for _, m := range rest {
					m.usurp()
				}
				if err := d.Leave(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.agree(rest, n-1)
			})
		})
	}
}
