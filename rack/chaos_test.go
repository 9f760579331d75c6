package rack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"

	"nuos/drivers/nic/nictest"
	"nuos/mm"
)

// witness checks what must hold whatever happens.
type witness struct {
	t       *testing.T
	mu      sync.Mutex
	leases  []mm.Range
	names   map[string]string
	ids     map[MachineID]uint64 // nonce of each machine
	leaders map[uint64]uint64    // nonce of the directory of each epoch
}

func (w *witness) leased(r mm.Range) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.leases {
		if r.Base < o.End() && o.Base < r.End() {
			w.t.Errorf("leases %#x and %#x overlap", r, o)
		}
	}
	w.leases = append(w.leases, r)
}

func (w *witness) named(name, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, known := w.names[name]; known && old != value {
		w.t.Errorf("name %s is %s; it was %s", name, value, old)
	}
	w.names[name] = value
}

func (w *witness) saw(m *machine) {
	m.directory.mu.Lock()
	id, nonce, leads, epoch := MachineID(m.e.id.Load()), m.e.nonce, false, uint64(0)
	if p := m.directory.replica; p != nil {
		leads, epoch = p.leads(), p.state.Epoch
	}
	m.directory.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, known := w.ids[id]; known && old != nonce {
		w.t.Errorf("two machines are %d", id)
	}
	w.ids[id] = nonce
	if old, known := w.leaders[epoch]; leads && known && old != nonce {
		w.t.Errorf("two directories in epoch %d", epoch)
	}
	if leads {
		w.leaders[epoch] = nonce
	}
}

func (m *machine) alive() bool {
	select {
	case <-m.fenced:
		return false
	default:
		return m.ctx.Err() == nil
	}
}

// TestChaos lets machines die, boot, leave and lose sight of each other, while
// all use the rack, and checks what must hold always, and that those who
// remain agree in the end.
func TestChaos(t *testing.T) {
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("%#x", seed), func(t *testing.T) { chaos(t, seed) })
	}
}

func chaos(t *testing.T, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 1))
	faults := nictest.Faults{Loss: .05, Duplicate: .05, Corrupt: .02, Delay: time.Millisecond, Jitter: 2 * time.Millisecond}
	inWorld(t, nictest.Options{Seed: seed}, faults, func(t *testing.T, w *world) {
		n := 3 + dice.IntN(5)
		c := w.config()
		c.Machines = n
		all := w.bootAll(n, c)
		w.agree(all, n)
		wit := &witness{t: t, names: map[string]string{}, ids: map[MachineID]uint64{}, leaders: map[uint64]uint64{}}
		var work, booting sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		w.ctx = ctx
		use := func(m *machine, seed uint64) {
			dice := rand.New(rand.NewPCG(seed, 2))
			for ctx.Err() == nil && m.alive() {
				wit.saw(m)
				name := fmt.Sprint("name", dice.IntN(40))
				switch dice.IntN(3) {
				case 0:
					if got, err := m.LeaseHeap(1 << (20 + dice.IntN(12))); err == nil {
						wit.leased(got)
					}
				case 1:
					if got, err := m.Bind(ctx, name, fmt.Append(nil, m.e.nonce)); err == nil {
						wit.named(name, string(got))
					}
				case 2:
					if got, err := m.Resolve(ctx, name); err == nil {
						wit.named(name, string(got))
					}
				}
				time.Sleep(time.Duration(dice.IntN(300)) * time.Millisecond)
			}
		}
		for i, m := range all {
			work.Go(func() { use(m, seed+uint64(i)) })
		}
		var mu sync.Mutex // guards all
		living := func() (l []*machine) {
			mu.Lock()
			defer mu.Unlock()
			for _, m := range all {
				if m.alive() {
					l = append(l, m)
				}
			}
			return l
		}
		c.Machines = 1
		c.Directory = "255.255.255.255" // these never form a rack themselves
		for range 30 {
			l := living()
			victim := l[dice.IntN(len(l))]
			switch what := dice.IntN(6); {
			case what == 0 && len(l) > 3:
				t.Logf("machine %d dies", victim.Self().ID)
				victim.kill()
			case what == 1 && len(l) > 3:
				t.Logf("machine %d dies and boots", victim.Self().ID)
				victim.kill()
				booting.Go(func() {
					if m, err := w.reboot(victim, c); err == nil {
						mu.Lock()
						all = append(all, m)
						mu.Unlock()
						use(m, seed)
					}
				})
			case what == 2 && len(l) < 12:
				t.Log("a machine boots")
				booting.Go(func() {
					if m, err := w.boot(nil, c); err == nil {
						mu.Lock()
						all = append(all, m)
						mu.Unlock()
						use(m, seed)
					}
				})
			case what == 3:
				cut := dice.IntN(len(l))
				t.Logf("%d of %d machines are cut off", cut, len(l))
				w.seg.Partition(devices(l[:cut]), devices(l[cut:]))
			case what == 4 && len(l) > 3:
				t.Logf("machine %d leaves", victim.Self().ID)
				ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
				_ = victim.Leave(ctx)
				cancel()
			default:
				w.seg.Heal()
			}
			time.Sleep(time.Duration(dice.IntN(8000)) * time.Millisecond)
		}
		w.seg.Heal()
		time.Sleep(30 * time.Second)
		stop()
		work.Wait()

		// If a majority is left, of those who vote and of those who are to, all
		// who are left agree.
		l := living()
		majority := true
		for _, voters := range votes(l) {
			alive := 0
			for _, id := range voters {
				if slices.ContainsFunc(l, func(m *machine) bool { return m.e.nonce == id }) {
					alive++
				}
			}
			majority = majority && 2*alive > len(voters)
		}
		if majority {
			w.agree(l, len(l))
			w.leader(l)
		}
		mu.Lock()
		for _, m := range all {
			m.kill()
		}
		mu.Unlock()
		booting.Wait()
		t.Logf("in the end: %d machines, a majority: %v, %d leases, %d names, %d epochs, %d incarnations",
			len(l), majority, len(wit.leases), len(wit.names), len(wit.leaders), len(wit.ids))
	})
}

// votes returns every set of voters that counts, or is proposed, as far as
// machines know.
func votes(all []*machine) (sets [][]uint64) {
	newest := uint64(0)
	for _, m := range all {
		m.directory.mu.Lock()
		if p := m.directory.replica; p != nil {
			newest = max(newest, p.group)
		}
		m.directory.mu.Unlock()
	}
	applied := uint64(0)
	for _, m := range all {
		m.directory.mu.Lock()
		if p := m.directory.replica; p != nil && p.group == newest && p.applied >= applied {
			applied = p.applied
			sets = [][]uint64{p.conf.Voters}
			for _, e := range p.undecided() {
				if e.Type == pb.EntryConfChangeV2 {
					var c pb.ConfChangeV2
					must(c.Unmarshal(e.Data))
					next, id := slices.Clone(p.conf.Voters), c.Changes[0].NodeID
					if c.Changes[0].Type == pb.ConfChangeAddNode {
						next = append(next, id)
					} else {
						next = slices.DeleteFunc(next, func(o uint64) bool { return o == id })
					}
					sets = append(sets, next)
				}
			}
		}
		m.directory.mu.Unlock()
	}
	return sets
}
