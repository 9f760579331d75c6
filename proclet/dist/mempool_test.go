package dist

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"nuos/proclet"
)

// note is an object of a pool. One client at a time uses it.
type note struct {
	text proclet.String
	n    int64
}

// Append is a method of an object.
func (n *note) Append(t *proclet.Thread, s string) (int64, error) {
	n.n++
	return n.n, n.text.Append(t, s)
}

// Objects of all three kinds are made, used and given back on all machines, while
// shards come, fill up, are trimmed and move.
func TestMemPool(t *testing.T) {
	random := seeded(t)
	w := join(t, 3)
	before := w.proclets()
	pool, err := NewMemPool(w.thread(0), Options{ShardBytes: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	stop := w.shuffle(t, rand.New(rand.NewPCG(random.Uint64(), 0)))
	const clients, each = 4, 300
	var wg sync.WaitGroup
	for c := range clients {
		random := rand.New(rand.NewPCG(random.Uint64(), uint64(c)))
		wg.Go(func() {
			th := w.thread(c)
			type made struct {
				raw    proclet.RemotePtr[note]
				unique proclet.RemoteUnique[note]
				shared proclet.RemoteShared[note]
				text   string
				n      int64
			}
			var all []*made
			for i := range each {
				m := &made{text: fmt.Sprint(c, i, strings.Repeat("x", random.IntN(300)))}
				var err error
				switch i % 3 {
				case 0:
					m.raw, err = Alloc(th, pool, note{text: proclet.View(m.text)})
				case 1:
					m.unique, err = AllocUnique(th, pool, note{text: proclet.View(m.text)})
					m.raw = m.unique.Ptr()
				case 2:
					m.shared, err = AllocShared(th, pool, note{text: proclet.View(m.text)})
					m.raw = m.shared.Ptr()
				}
				if err != nil {
					t.Error(err)
					return
				}
				all = append(all, m)
				for range 3 {
					m := all[random.IntN(len(all))]
					m.text, m.n = m.text+"+", m.n+1
					if n, err := proclet.CallAt(w.thread(c+i), m.raw, (*note).Append, "+"); n != m.n || err != nil {
						t.Errorf("Append = %d, %v, want %d", n, err, m.n)
						return
					}
				}
			}
			for i, m := range all {
				if got, err := m.raw.Load(th); err != nil || got.text.String() != m.text || got.n != m.n {
					t.Errorf("Load = %v, %v, want %s, %d", got, err, m.text, m.n)
					return
				}
				var err error
				switch i % 3 {
				case 0:
					err = m.raw.Free(th)
				case 1:
					err = proclet.Release(th, m.unique)
				case 2:
					err = proclet.Release(th, m.shared)
				}
				if err != nil {
					t.Error(err)
				}
			}
			if _, err := all[0].raw.Load(th); !errors.Is(err, proclet.ErrNoObject) {
				t.Errorf("Load of what was freed = %v", err)
			}
		})
	}
	most := 0
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			st, err := pool.Stats(w.thread(2))
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, st.Shards)
		}
	}
	moves := stop()
	if most < 4 || moves == 0 {
		t.Errorf("at most %d shards, %d moves", most, moves)
	}
	waitFor(t, "empty shards to end", func() bool {
		if err := pool.Trim(w.thread(1)); err != nil {
			t.Fatal(err)
		}
		st, err := pool.Stats(w.thread(0))
		return err != nil || st.Shards == 1
	})
	if err := pool.Release(w.thread(0)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the pool's proclets to end", func() bool { return w.proclets() == before })
}

// Room that has become free is used again.
func TestMemPoolReuses(t *testing.T) {
	w := join(t, 2)
	th := w.thread(0)
	pool, err := NewMemPool(th, Options{ShardBytes: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Release(th)
	most := 0
	var ring [100]proclet.RemotePtr[[128]byte]
	for i := range 3000 {
		p := &ring[i%len(ring)]
		if !p.IsZero() {
			if err := p.Free(th); err != nil {
				t.Fatal(err)
			}
		}
		if *p, err = Alloc(th, pool, [128]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		if i%100 == 0 {
			st, err := pool.Stats(th)
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, st.Shards)
		}
	}
	if most > 6 {
		t.Errorf("%d shards for 100 objects of 128 bytes at a time", most)
	}
}
