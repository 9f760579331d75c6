package migrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
)

// seeds returns the seeds to try: the one in NUOS_SEED, or so many.
func seeds(t *testing.T, n int) []uint64 {
	if s := os.Getenv("NUOS_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{seed}
	}
	all := make([]uint64, n)
	for i := range all {
		all[i] = uint64(i)
	}
	return all
}

func heapID(i int) proclet.ID {
	return proclet.ID{Addr: uint64(mm.HeapArea.Base) + uint64(i)*worldCapacity, Gen: 1}
}

// TestMovesUnderFaults moves proclets among machines while messages are lost,
// late and answered into the void, and one machine is cut off at some time. There
// must never be two running copies, and in the end exactly one of each proclet
// whose owner did not die, with what was written to it. In half of the worlds proclets are copied while
// they run, and written meanwhile.
func TestMovesUnderFaults(t *testing.T) {
	for _, seed := range seeds(t, 400) {
		synctest.Test(t, func(t *testing.T) { moveUnderFaults(t, seed) })
		if t.Failed() {
			t.Fatalf("NUOS_SEED=%d", seed)
		}
	}
}

func moveUnderFaults(t *testing.T, seed uint64) {
	const machines, count, rounds = 4, 3, 8
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(random, machines)
	w.precopies = seed/2%2 == 0
	var victim *machine
	if seed%2 == 0 {
		victim = w.machines[0]
	}
	for i := range count {
		m := w.machines[i%machines]
		w.add(m, heapID(i))
	}
	var work sync.WaitGroup
	for i := range count {
		work.Go(func() {
			for range rounds {
				w.moveSomewhere(heapID(i))
			}
		})
	}
	if victim != nil {
		work.Go(func() {
			w.pause(30 * time.Second)
			w.cutOff(victim)
		})
	}
	work.Wait()
	time.Sleep(10 * time.Minute) // all that is late has come by now
	synctest.Wait()

	for i := range count {
		running, held := 0, 0
		for _, m := range w.machines {
			c := m.copies[heapID(i)]
			if c == nil {
				continue
			}
			held++
			if c.open {
				running++
				if c.pages != *w.written[heapID(i)] {
					w.breaks("%v is %x, and was written as %x", heapID(i), c.pages, *w.written[heapID(i)])
				}
			} else if m != victim {
				w.breaks("%v is neither running nor gone on machine %d", heapID(i), m.id)
			}
		}
		if running == 0 && victim == nil {
			w.breaks("%v runs nowhere (%d hold it)", heapID(i), held)
		}
	}
	for _, b := range w.broken {
		t.Error(b)
	}
}

// moveSomewhere moves a proclet from where it runs to a random machine.
func (w *world) moveSomewhere(id proclet.ID) {
	w.mu.Lock()
	var from *machine
	for _, m := range w.machines {
		if c := m.copies[id]; c != nil && c.open {
			from = m
		}
	}
	to := rack.MachineID(w.random.IntN(len(w.machines)) + 1)
	w.mu.Unlock()
	if from == nil {
		time.Sleep(time.Second)
		return
	}
	from.migrator.Move(context.Background(), id, to)
}

// TestMove is a move with nothing in its way: what it reports, and that both
// sides forget it afterwards.
func TestMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(rand.New(rand.NewPCG(1, 1)), 2)
		a, b := w.machines[0], w.machines[1]
		w.add(a, heapID(0))
		// The network of this world is never perfect, so try until it was.
		for from, to := a, b; ; {
			r, err := from.migrator.Move(context.Background(), heapID(0), to.id)
			if err != nil {
				continue
			}
			if r.Bytes != pages*mm.PageSize || r.From != from.id || r.To != to.id || r.Pause <= 0 {
				t.Errorf("report %+v", r)
			}
			if s := from.migrator.Stats(); s.Made == 0 || s.Bytes < pages*mm.PageSize || s.PauseP50 <= 0 {
				t.Errorf("statistics %+v", s)
			}
			break
		}
		time.Sleep(time.Second) // of virtual time: the source's memory is given back meanwhile
		synctest.Wait()
		for m, want := range map[*machine][]string{
			a: {"close", "describe", "send", "commit", "clear"}, b: {"map", "receive", "verify", "adopt"},
		} {
			for _, phase := range want {
				found := slices.ContainsFunc(m.migrator.Stats().Phases, func(p PhaseStats) bool {
					return p.Phase == phase && p.Count > 0 && 0 < p.P50 && p.P50 <= p.P99 && p.P99 <= p.Max
				})
				if !found {
					t.Errorf("machine %d does not say how long %q took: %+v", m.id, phase, m.migrator.Stats().Phases)
				}
			}
		}
		if c := b.copies[heapID(0)]; c == nil || !c.open || a.copies[heapID(0)] != nil {
			t.Errorf("the proclet is not where it was moved to")
		}
		for range 100 {
			b.migrator.Move(context.Background(), heapID(0), a.id)
			a.migrator.Move(context.Background(), heapID(0), b.id)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for _, m := range w.machines {
			for _, moves := range m.migrator.arrivals {
				if len(moves) > 2 {
					t.Errorf("machine %d remembers %d moves", m.id, len(moves))
				}
			}
		}
	})
}

// TestRefusals lists what Move refuses before anything happens.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(rand.New(rand.NewPCG(1, 1)), 2)
		a := w.machines[0]
		w.add(a, heapID(0))
		for _, test := range []struct {
			id   proclet.ID
			to   rack.MachineID
			want error
		}{
			{heapID(0), 1, ErrSameMachine},
			{heapID(0), 7, ErrNoMachine},
			{heapID(1), 2, proclet.ErrNoProclet},
		} {
			if _, err := a.migrator.Move(context.Background(), test.id, test.to); !errors.Is(err, test.want) {
				t.Errorf("Move(%v, %d) = %v, want %v", test.id, test.to, err, test.want)
			}
		}
		w.mu.Lock()
		w.machines[1].draining = true
		w.mu.Unlock()
		for {
			_, err := a.migrator.Move(context.Background(), heapID(0), 2)
			if errors.Is(err, ErrRefused) {
				break
			}
			if err == nil {
				t.Fatal("a draining machine took a proclet")
			}
		}
		synctest.Wait()
		if !a.copies[heapID(0)].open {
			t.Error("a refused proclet does not serve")
		}
		time.Sleep(10 * time.Minute)
	})
}

// TestMessages writes messages and reads them back.
func TestMessages(t *testing.T) {
	id := heapID(3)
	full := message{op: opAnnounce, number: 7, floor: 5, transfer: 9, proclet: proclet.Description{
		ID: id, Capacity: 1 << 16, Mapped: 4 * mm.PageSize, Kind: 77, Moves: 2,
		Used: []mm.Range{{Base: mm.Virt(id.Addr), Size: 100}, {Base: mm.Virt(id.Addr + mm.PageSize), Size: 3 * mm.PageSize}},
	}}
	full.proclet.Changed = full.proclet.Used
	part := full
	part.op, part.round = opCopy, 3
	part.proclet.Changed = []mm.Range{{Base: mm.Virt(id.Addr + 50), Size: 50}, {Base: mm.Virt(id.Addr + 3*mm.PageSize), Size: mm.PageSize}}
	for _, m := range []message{full, part, {op: opCommit, number: 1, floor: 1}, {op: opAbort, number: 2}} {
		b := m.append(nil)
		got, err := parseMessage(b)
		if fmt.Sprint(got) != fmt.Sprint(m) || err != nil {
			t.Errorf("%+v came back as %+v, %v", m, got, err)
		}
		for n := range b {
			if _, err := parseMessage(b[:n]); err == nil {
				t.Errorf("%d of %d bytes of %+v were understood", n, len(b), m)
			}
		}
	}
}

// FuzzMessage checks that what is understood is sound.
func FuzzMessage(f *testing.F) {
	id := heapID(1)
	d := proclet.Description{ID: id, Capacity: 1 << 16, Mapped: mm.PageSize, Used: []mm.Range{{Base: mm.Virt(id.Addr), Size: 64}}}
	d.Changed = d.Used
	f.Add((&message{op: opCopy, number: 1, round: 1, proclet: d}).append(nil))
	f.Add((&message{op: opAnnounce, number: 1, proclet: d}).append(nil))
	f.Add((&message{op: opCommit, number: 1}).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMessage(b)
		if err != nil {
			return
		}
		heap := mm.Range{Base: mm.Virt(m.proclet.ID.Addr), Size: m.proclet.Mapped}
		for _, r := range m.proclet.Used {
			if r.Size == 0 || !heap.Contains(r.Base) || r.End() > heap.End() {
				t.Errorf("used range %+v outside of %+v", r, heap)
			}
		}
		for _, r := range m.proclet.Changed {
			if !slices.ContainsFunc(m.proclet.Used, func(u mm.Range) bool { return u.Contains(r.Base) && r.Size > 0 && r.End() <= u.End() }) {
				t.Errorf("%+v is sent, which is not used: %+v", r, m.proclet.Used)
			}
		}
		if again := m.append(nil); string(again) != string(b) {
			t.Errorf("%x came back as %x", b, again)
		}
	})
}

// TestPhasesAreCounted has more phases than are remembered, some of them at once.
func TestPhasesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p phaseTimes
		var work sync.WaitGroup
		const each = 3*rememberedSpans + 7
		for range 4 {
			work.Go(func() {
				for range each {
					p.since(phaseSend, heapID(1), time.Now().Add(-time.Millisecond))
				}
			})
		}
		work.Wait()
		s := p.stats()
		if len(s) != 1 || s[0].Phase != "send" || s[0].Count != 4*each || s[0].P50.Round(100*time.Microsecond) != time.Millisecond {
			t.Errorf("%+v; want %d of a millisecond", s, 4*each)
		}
	})
}
