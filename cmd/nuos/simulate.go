package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nuos/internal/simulation"
	"nuos/rack/placement"
)

// simulated is what nuos simulate was asked for.
type simulated struct {
	machines, proclets int
	lasts              time.Duration
	busiest            float64
	seed               uint64
	seeds              int
	faults             bool
	load               string
}

func simulateCommand() *cobra.Command {
	var s simulated
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Say what a rack would gain by moving proclets, under virtual time",
		Long: `The code that decides in a rack which proclets move where decides here for simulated machines,
whose applications rise, fall and have bursts. The same rack is simulated once more with nothing
moving. With --seeds many racks are simulated, and looked at at every step; a seed that
breaks what must hold is named, with what happened before.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if s.seed == 0 {
				s.seed = rand.Uint64()>>32 + 1
			}
			if s.seeds > 0 {
				return s.many(c.Context(), c.OutOrStdout())
			}
			return s.compare(c.Context(), c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.IntVar(&s.machines, "machines", 100, "machines of the rack, of 32 processors and 16 GiB")
	f.IntVar(&s.proclets, "proclets", 0, "proclets of all applications; 0: a thousand for each machine")
	f.DurationVar(&s.lasts, "for", time.Minute, "virtual time")
	f.Float64Var(&s.busiest, "busiest", .85, "part of all processors that is asked for at the busiest moment")
	f.Uint64Var(&s.seed, "seed", 0, "of everything random; 0: any")
	f.IntVar(&s.seeds, "seeds", 0, "simulate racks of so many seeds, beginning with --seed")
	f.BoolVar(&s.faults, "faults", false, "machines crash, pause, drain and are cut off")
	f.StringVar(&s.load, "load", "", "table of the load: a line of names, then lines of seconds and processors by application, separated by commas")
	return c
}

// config is the rack of a seed.
func (s *simulated) config(seed uint64) (simulation.Config, error) {
	n := s.proclets
	if n == 0 {
		n = 1000 * s.machines
	}
	if s.machines < 2 || !(s.busiest > 0 && s.busiest <= 1) {
		return simulation.Config{}, fmt.Errorf("%d machines, busiest at %g; want at least two, and more than 0, at most 1", s.machines, s.busiest)
	}
	c := simulation.Default(seed, s.machines, n, s.busiest)
	c.For, c.Faults = s.lasts, s.faults
	if s.load != "" {
		file, err := os.Open(s.load)
		if err != nil {
			return c, err
		}
		defer file.Close()
		if c.Load, err = simulation.ReadLoad(file); err != nil {
			return c, fmt.Errorf("%s: %w", s.load, err)
		}
	}
	return c, nil
}

// compare simulates one rack with and without moves.
func (s *simulated) compare(ctx context.Context, out io.Writer) error {
	c, err := s.config(s.seed)
	if err != nil {
		return err
	}
	began := time.Now()
	moving, err := simulation.Run(ctx, c)
	if err != nil {
		return history(err)
	}
	took := time.Since(began)
	c.Still = true
	still, err := simulation.Run(ctx, c)
	if err != nil {
		return history(err)
	}
	fmt.Fprintf(out, "%d machines of %d processors and %s, %d proclets, seed %d: %v in %.1f s\n\n",
		c.Machines, c.Processors, placement.Size(c.Memory), c.Proclets, s.seed, c.For, took.Seconds())
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\tprocessors\tused\tload not served\tout of memory\t\n")
	fmt.Fprintf(w, "proclets move\t%d\t%.1f %%\t%.3f %%\t%.3f %%\t\n", c.Machines*c.Processors, 100*moving.Used, 100*moving.Missing, 100*moving.Full)
	fmt.Fprintf(w, "nothing moves\t%d\t%.1f %%\t%.3f %%\t%.3f %%\t\n", c.Machines*c.Processors, 100*still.Used, 100*still.Missing, 100*still.Full)
	fmt.Fprintf(w, "a machine's size for each application's peak\t%d\t%.1f %%\t-\t-\t\n", moving.Static, 100*moving.StaticUsed)
	w.Flush()
	seconds := c.For.Seconds()
	fmt.Fprintf(out, "\n%d moves, %.1f a second, of %s each; %d requests refused, %d moves refused\n",
		moving.Moves, float64(moving.Moves)/seconds, placement.Size(moving.Bytes/uint64(max(moving.Moves, 1))), moving.Refusals, moving.RefusedMoves)
	if h := moving.Relief; h.TotalCount() > 0 {
		fmt.Fprintf(out, "a machine under pressure was relieved after %v (p50), %v (p99), %v (longest), %d times\n",
			micros(h.ValueAtQuantile(50)), micros(h.ValueAtQuantile(99)), micros(h.Max()), h.TotalCount())
	}
	if s.faults {
		fmt.Fprintf(out, "%d proclets were lost with their machines, %d machines drained, %d leaders\n", moving.Lost, moving.Drained, moving.Leaders)
	}
	return nil
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// many simulates racks of many seeds, as many at once as there are processors.
func (s *simulated) many(ctx context.Context, out io.Writer) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	seeds := make(chan uint64)
	var wg sync.WaitGroup
	var mu sync.Mutex
	moves, lost := 0, 0
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := range seeds {
				c, err := s.config(seed)
				if err == nil {
					var r *simulation.Result
					if r, err = simulation.Run(ctx, c); err == nil {
						mu.Lock()
						moves, lost = moves+r.Moves, lost+r.Lost
						mu.Unlock()
						continue
					}
				}
				stop(history(err))
			}
		})
	}
	began := time.Now()
	for i := range uint64(s.seeds) {
		select {
		case seeds <- s.seed + i:
		case <-ctx.Done():
		}
	}
	close(seeds)
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	fmt.Fprintf(out, "%d seeds from %d, %v each: everything held; %d moves, %d proclets lost with their machines; %.1f s\n",
		s.seeds, s.seed, s.lasts, moves, lost, time.Since(began).Seconds())
	return nil
}

// history is err, and what happened before it if it is a broken invariant.
func history(err error) error {
	if b := (*simulation.Broken)(nil); errors.As(err, &b) {
		return fmt.Errorf("%w; before that:\n%s", err, b.History())
	}
	return err
}
