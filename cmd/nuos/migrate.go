package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/spf13/cobra"

	"nuos/migrate"
	"nuos/proclet"
	"nuos/rack"
)

func migrateCommand() *cobra.Command {
	var shuffle, duration time.Duration
	var seed uint64
	var timeline string
	cmd := &cobra.Command{
		Use:   "migrate {PROCLET MACHINE | --shuffle EVERY}",
		Short: "Move a proclet to another machine, or keep moving random ones",
		Example: `  nuos migrate 500000400000.100000003 2      a proclet and a machine as nuos ps names them
  nuos migrate --shuffle 20ms --for 60s     a random proclet every 20 ms
  nuos migrate --trace move.json 500000400000.100000003 2    for https://ui.perfetto.dev`,
		Args: func(cmd *cobra.Command, args []string) error {
			if shuffle > 0 {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r, _, err := observe()
			if err != nil {
				return err
			}
			defer r.Close()
			if timeline != "" {
				began := time.Now()
				defer func() {
					if err == nil {
						err = saveTimeline(context.Background(), r, began, timeline)
					}
				}()
			}
			if shuffle == 0 {
				return moveOne(cmd.Context(), r, args[0], args[1])
			}
			ctx := cmd.Context()
			if duration > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, duration)
				defer cancel()
			}
			if seed == 0 {
				seed = rand.Uint64()
			}
			return shuffleAll(ctx, r, shuffle, seed)
		},
	}
	cmd.Flags().DurationVar(&shuffle, "shuffle", 0, "move a random proclet to a random machine this often")
	cmd.Flags().DurationVar(&duration, "for", 0, "how long to shuffle (default until Ctrl-C)")
	cmd.Flags().StringVar(&timeline, "trace", "", "file for the phases of the moves on all machines, in the format that Perfetto reads")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "seed of the random choices (default: a new one each time)")
	return cmd
}

func drainCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "drain MACHINE",
		Short:   "Have a machine move everything elsewhere and leave the rack",
		Example: `  nuos drain 2      a machine as nuos ps numbers them`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			machine, err := parseMachine(args[0])
			if err != nil {
				return err
			}
			r, _, err := observe()
			if err != nil {
				return err
			}
			defer r.Close()
			ctx, cancel := timeout(cmd.Context())
			defer cancel()
			if err := migrate.AskDrain(ctx, r, machine); err != nil {
				return err
			}
			for member(r, machine) {
				infos, err := proclet.Ask(cmd.Context(), r, machine)
				if err != nil {
					break // it has left
				}
				fmt.Fprintf(os.Stderr, "%d proclets are left\n", len(infos))
				select {
				case <-cmd.Context().Done():
					return cmd.Context().Err()
				case <-time.After(time.Second):
				}
			}
			fmt.Printf("machine %d has left\n", machine)
			return nil
		},
	}
}

// saveTimeline writes what the machines remember of moves that began after some time.
func saveTimeline(ctx context.Context, r *rack.Rack, began time.Time, file string) error {
	var all []*migrate.Timeline
	for _, m := range r.Members() {
		t, err := migrate.AskTimeline(ctx, r, m.ID)
		if err != nil {
			return err
		}
		t.Spans = slices.DeleteFunc(t.Spans, func(s migrate.Span) bool { return s.Begin.Before(began) })
		all = append(all, t)
	}
	var text bytes.Buffer
	if err := migrate.WriteTimeline(&text, all); err != nil {
		return err
	}
	return os.WriteFile(file, text.Bytes(), 0o666)
}

func member(r *rack.Rack, machine rack.MachineID) bool {
	for _, m := range r.Members() {
		if m.ID == machine {
			return true
		}
	}
	return false
}

func parseMachine(s string) (rack.MachineID, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a machine's number; see `nuos ps`", s)
	}
	return rack.MachineID(n), nil
}

func moveOne(ctx context.Context, r *rack.Rack, name, machine string) error {
	id, err := proclet.ParseID(name)
	if err != nil {
		return err
	}
	to, err := parseMachine(machine)
	if err != nil {
		return err
	}
	for _, m := range r.Members() {
		infos, err := proclet.Ask(ctx, r, m.ID)
		if err != nil {
			return err
		}
		for _, info := range infos {
			if info.ID == id.String() {
				report, err := migrate.Ask(ctx, r, m.ID, id, to)
				if err != nil {
					return err
				}
				fmt.Printf("%s: machine %d to %d, %s, callers waited %v\n", id, report.From, report.To, size(report.Bytes), report.Pause)
				return nil
			}
		}
	}
	return fmt.Errorf("proclet %s lives on no machine; see `nuos ps`", id)
}

// shuffleAll moves proclets until ctx ends and prints what it did.
func shuffleAll(ctx context.Context, r *rack.Rack, every time.Duration, seed uint64) error {
	type outcome struct {
		report migrate.Report
		err    error
	}
	outcomes := make(chan outcome)
	s := migrate.Shuffler{Rack: r, Every: every, Seed: seed, Done: func(report migrate.Report, err error) {
		outcomes <- outcome{report, err}
	}}
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(ctx)
		close(outcomes)
	}()
	pauses := hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 3)
	made, undone, bytes := 0, 0, uint64(0)
	var failures []error
	shown := time.Now()
	for o := range outcomes {
		switch {
		case o.err == nil:
			made++
			bytes += o.report.Bytes
			pauses.RecordValue(o.report.Pause.Microseconds())
		case errors.Is(o.err, proclet.ErrBusy), errors.Is(o.err, proclet.ErrNoProclet), errors.Is(o.err, migrate.ErrRefused):
			undone++ // it stays where it is, or somebody else moved it
		default:
			failures = append(failures, o.err)
			fmt.Fprintln(os.Stderr, "nuos:", o.err)
		}
		if time.Since(shown) > time.Second {
			shown = time.Now()
			fmt.Fprintf(os.Stderr, "%d moves, %s\n", made, size(bytes))
		}
	}
	quantile := func(q float64) time.Duration { return time.Duration(pauses.ValueAtQuantile(q)) * time.Microsecond }
	fmt.Printf("%d moves, %s; pause p50 %v, p99 %v; %d not made, %d failed; seed %d\n",
		made, size(bytes), quantile(50), quantile(99), undone, len(failures), seed)
	if err := <-ended; err != nil {
		return err
	}
	if len(failures) > 0 {
		return fmt.Errorf("%d moves failed, the first with: %w", len(failures), failures[0])
	}
	return nil
}
