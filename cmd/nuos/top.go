package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/spf13/cobra"

	"nuos/migrate"
	"nuos/migrate/watch"
	"nuos/rack"
)

// topSource takes a sample, with some of the proclets of each machine.
type topSource func(ctx context.Context, by migrate.By) watch.Sample

// topProclets is how many proclets each machine is asked for.
const topProclets = 50

func topCommand() *cobra.Command {
	once, interval, by := false, time.Second, string(migrate.ByLoad)
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch the machines and the proclets of a rack",
		Long: `Top shows memory, processors, pressure, calls and moves of each machine, and the
proclets that use most, and keeps that up to date. Rates and latencies are those of the time
since the last look. Keys: l, m, c order the proclets by load, memory or calls; q quits.`,
		Example: `  nuos top
  nuos top --once --by memory     prints it once, after an interval, for scripts`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch migrate.By(by) {
			case migrate.ByLoad, migrate.ByMemory, migrate.ByCalls:
			default:
				return fmt.Errorf("--by %s: want load, memory or calls", by)
			}
			if interval < 100*time.Millisecond {
				return fmt.Errorf("--interval %v: want at least 100ms", interval)
			}
			r, _, err := observe()
			if err != nil {
				return err
			}
			defer r.Close()
			if once {
				return topOnce(cmd.Context(), os.Stdout, topOf(r), interval, migrate.By(by))
			}
			m := &topModel{ctx: cmd.Context(), source: topOf(r), interval: interval, by: migrate.By(by)}
			_, err = tea.NewProgram(m, tea.WithAltScreen(), tea.WithContext(cmd.Context())).Run()
			if cmd.Context().Err() != nil {
				return nil // somebody has ended it
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print once and end")
	cmd.Flags().DurationVar(&interval, "interval", interval, "how often to look")
	cmd.Flags().StringVar(&by, "by", by, "order of the proclets: load, memory or calls")
	return cmd
}

// topOnce prints what happens in one interval.
func topOnce(ctx context.Context, to io.Writer, source topSource, interval time.Duration, by migrate.By) error {
	before := source(ctx, by)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(interval):
	}
	_, err := fmt.Fprintln(to, view(watch.Between(before, source(ctx, by), by), 0, 0))
	return err
}

// topOf asks the machines of a rack.
func topOf(r *rack.Rack) topSource {
	return func(ctx context.Context, by migrate.By) watch.Sample {
		ctx, cancel := timeout(ctx)
		defer cancel()
		return watch.Ask(ctx, r, topProclets, by)
	}
}
