package balance

import (
	"errors"
	"strings"
	"testing"

	"nuos/migrate"
	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
	"nuos/rack/placement"
)

// TestNoRoom has machines that are all short of memory: nothing moves, and it is said why.
func TestNoRoom(t *testing.T) {
	w := newWorld(t)
	w.boot(3, quick())
	var refs []proclet.Ref[blob]
	for _, m := range w.machines {
		m.taken.Store(6 << 20)
		refs = append(refs, w.put(m, 10, 20*kib)...)
	}
	defer w.end(refs)
	w.start()
	await(t, "it is refused", func() bool { return len(w.events("refusal")) > 6 })
	if n := w.moves(); n != 0 {
		t.Errorf("%d moves from full machines to full ones", n)
	}
	if e := w.events("refusal"); !strings.Contains(e[len(e)-1].Text, "is short of memory itself") {
		t.Errorf("%v", e[len(e)-1])
	}
	// By hand neither.
	from, to := w.machines[0], w.machines[1]
	if _, err := from.migrator.Move(t.Context(), refs[0].ID(), to.id()); !errors.Is(err, migrate.ErrRefused) {
		t.Errorf("a move to a full machine: %v", err)
	}
}

// TestOffers is what a destination answers to those who want to send something.
func TestOffers(t *testing.T) {
	w := newWorld(t)
	w.boot(1, quick())
	b := w.machines[0].balancer
	offer := func() error { return b.offered(7, message{Op: opOffer, Bytes: 1}) }
	b.sense()
	if err := offer(); err != nil {
		t.Errorf("at rest: %v", err)
	}
	if err := b.ordered(placement.Grant{To: 7, Kind: placement.Evening}); !errors.Is(err, ErrPressure) {
		t.Errorf("a machine that receives is ordered to give: %v", err)
	}
	if err := b.offered(7, message{Op: opOffer}); err != nil {
		t.Error(err)
	}
	b.source.Order()
	if err := offer(); !errors.Is(err, ErrPressure) {
		t.Errorf("a machine that gives is offered something: %v", err)
	}
	b.source.Finished(b.now(), placement.Evening, 1)
	w.machines[0].taken.Store(7 << 20)
	b.sense()
	if err := offer(); !errors.Is(err, ErrPressure) {
		t.Errorf("a machine without memory is offered something: %v", err)
	}
	var unknown message
	if _, err := b.obey(7, unknown); !errors.Is(err, ErrMessage) {
		t.Errorf("no operation: %v", err)
	}
}

// TestSampleOf takes those off who only poll, and the one who looks.
func TestSampleOf(t *testing.T) {
	for _, c := range []struct{ running, waiting, polling, wantRunning, wantWaiting int }{
		{1, 0, 0, 0, 0}, // the one who looks
		{2, 0, 1, 0, 0}, // and one who polls
		{1, 1, 1, 0, 0}, // who waits for a moment
		{2, 0, 0, 1, 0},
		{2, 3, 1, 1, 2},
		{2, 3, 2, 1, 1},
		{1, 0, 2, 0, 0},
	} {
		x := sampleOf(mm.Usage{Total: 10, Free: 3}, 2, c.running, c.waiting, c.polling, .5)
		want := placement.Sample{Free: 3 * mm.PageSize, Total: 10 * mm.PageSize, Processors: 2, Running: c.wantRunning, Waiting: c.wantWaiting, Busy: .5}
		if x != want {
			t.Errorf("%+v: %+v", c, x)
		}
	}
}

// BenchmarkSense is what a look costs. 1,000 in a second are to take less than 0.5 % of a processor: 5 µs each.
func BenchmarkSense(b *testing.B) {
	w := newWorld(b)
	w.boot(1, placement.Default())
	m := w.machines[0]
	m.balancer.sample = sampler(m.rack, m.proclets)
	m.balancer.reports.underway.Store(true) // reports are seldom
	for b.Loop() {
		m.balancer.sense()
	}
}

func TestEvents(t *testing.T) {
	l := eventLog{self: 3}
	for i := range rememberedEvents + 100 {
		l.add("test", "%d", i)
	}
	if got := l.after(0); len(got) != maxEvents || got[0].Seq != 101 || got[0].Text != "100" {
		t.Errorf("%d events, the first is %v", len(got), got[0])
	}
	if got := l.after(rememberedEvents + 98); len(got) != 2 || got[1].Seq != rememberedEvents+100 || got[1].Machine != rack.MachineID(3) {
		t.Errorf("%v", got)
	}
	if got := l.after(1 << 40); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
