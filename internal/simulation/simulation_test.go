package simulation

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var seeds = flag.Int("seeds", 200, "how many small racks with faults are simulated")

// small is a rack that is soon simulated.
func small(seed uint64) Config {
	c := Default(seed, 3+int(seed%10), 200, .8)
	c.Processors, c.Memory, c.For = 4, 1<<30, 10*time.Second
	c.Load = RandomLoad(rand.New(rand.NewPCG(seed, 1)), 4, .8*float64(4*c.Machines))
	c.Network = Network{Delay: 20 * time.Microsecond, Jitter: time.Millisecond, Loss: .01}
	return c
}

func run(t *testing.T, c Config) *Result {
	t.Helper()
	r, err := Run(t.Context(), c)
	if b := (*Broken)(nil); errors.As(err, &b) {
		t.Fatalf("%v\n%s", b, b.History())
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFaults breaks machines and networks of small racks.
func TestFaults(t *testing.T) {
	var moves, lost, leaders, drained int
	for seed := range uint64(*seeds) {
		c := small(seed)
		c.Faults = true
		r := run(t, c)
		moves, lost, leaders, drained = moves+r.Moves, lost+r.Lost, leaders+r.Leaders-1, drained+r.Drained
	}
	t.Logf("%d moves, %d proclets lost, %d other leaders, %d machines drained", moves, lost, leaders, drained)
	if moves == 0 || lost == 0 || leaders == 0 || drained == 0 {
		t.Error("something never happened")
	}
}

// TestMovesHelp compares racks with and without moves.
func TestMovesHelp(t *testing.T) {
	var moving, still float64
	for seed := range uint64(5) {
		c := small(seed)
		moving += run(t, c).Missing
		c.Still = true
		r := run(t, c)
		still += r.Missing
		if r.Moves != 0 {
			t.Fatalf("%d moves of a rack that is still", r.Moves)
		}
	}
	if moving*3 > still {
		t.Errorf("%.2f %% of the load find no processor with moves, %.2f %% without; want a third at most", 20*moving, 20*still)
	}
}

// TestSameSeed runs the same rack twice.
func TestSameSeed(t *testing.T) {
	c := small(7)
	c.Faults = true
	a, b := run(t, c), run(t, c)
	if a.Moves != b.Moves || a.Bytes != b.Bytes || a.Used != b.Used || a.Lost != b.Lost {
		t.Errorf("%+v\n%+v", a, b)
	}
}

// TestBroken breaks what is checked, and expects to be told.
func TestBroken(t *testing.T) {
	for name, sabotage := range map[string]func(w *world){
		"a proclet on two machines": func(w *world) { w.machines[1].proclets = append(w.machines[1].proclets, w.machines[0].proclets[0]) },
		"a proclet nowhere":         func(w *world) { w.take(w.machines[0].proclets[0]) },
		"a dead machine's proclets": func(w *world) { w.machines[0].dead = true },
		"moved on at once": func(w *world) {
			w.machines[0].give = &giving{}
			w.checkMove(w.machines[0], &proclet{at: w.machines[0], since: w.now}, w.candidates(w.machines[0])[0])
		},
		"more than granted": func(w *world) {
			w.machines[0].give = &giving{to: w.machines[1], batch: w.candidates(w.machines[0])}
			w.checkGrant(w.machines[0])
		},
		"gives and takes": func(w *world) {
			w.machines[0].give = &giving{to: w.machines[1]}
			w.machines[1].give = &giving{to: w.machines[2], until: time.Second}
			w.checkGrant(w.machines[0])
		},
	} {
		w := newWorld(small(1))
		w.sense(w.machines[0])
		sabotage(w)
		w.checkAll()
		if b := (*Broken)(nil); !errors.As(w.broken, &b) || b.Seed != 1 || b.What == "" {
			t.Errorf("%s: %v", name, w.broken)
		}
	}
}

func TestReadLoad(t *testing.T) {
	l, err := ReadLoad(strings.NewReader("seconds,web,batch\n0,1,2\n.5,3,4\n1,1,0\n"))
	if err != nil {
		t.Fatal(err)
	}
	row, before, after, part := l.around(750 * time.Millisecond)
	if each, all := l.peaks(); row != 1 || before[0] != 3 || after[0] != 1 || part != .5 || each[0] != 3 || each[1] != 4 || all != 7 {
		t.Errorf("row %d at 0.75 s, %v to %v, %g of the way; peaks %v, %v", row, before, after, part, each, all)
	}
	for _, bad := range []string{
		"", "seconds\n0\n1\n", "s,a\n0,1\n", "s,a\n0,1\n1,x\n", "s,a\n0,1\n1,-1\n", "s,a\n0,1\n1,NaN\n", "s,a\n0,1\n1,1\n3,1\n", "s,a\n0,1\n1,1,1\n", "s,a\n1,1\n1,1\n",
	} {
		if _, err := ReadLoad(strings.NewReader(bad)); !errors.Is(err, ErrLoad) {
			t.Errorf("ReadLoad(%q) = %v; want ErrLoad", bad, err)
		}
	}
}

func TestUnusable(t *testing.T) {
	for _, c := range []Config{{}, {Machines: 3, Proclets: 1}} {
		if _, err := Run(context.Background(), c); !errors.Is(err, ErrConfig) {
			t.Errorf("Run = %v; want ErrConfig", err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Run(ctx, small(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Run of one who has given up = %v", err)
	}
}
