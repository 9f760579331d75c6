package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"nuos/boot/image"
	"nuos/qemu"
	"nuos/qemu/inspect"
)

// Commands that look into machines: docs/observe.md.

// inside begins to look into the machine that the command's argument names, or the
// first one.
func inside(ctx context.Context, args []string) (*qemu.Inside, *qemu.Running, error) {
	i := 0
	if len(args) > 0 {
		var err error
		if i, err = strconv.Atoi(args[0]); err != nil {
			return nil, nil, fmt.Errorf("%q is not the number of a machine", args[0])
		}
	}
	running, err := qemu.Attach(qemu.DefaultDir(rackName))
	if err != nil {
		return nil, nil, fmt.Errorf("rack %q: %w", rackName, err)
	}
	ctx, cancel := timeout(ctx)
	defer cancel()
	in, err := running.Inside(ctx, i)
	return in, running, err
}

// look lets f look into the machine that args name, how says whether while that runs.
func look(ctx context.Context, args []string, how func(*qemu.Inside, func(*inspect.Machine) error) error, f func(*inspect.Machine) error) error {
	in, _, err := inside(ctx, args)
	if err != nil {
		return err
	}
	defer in.Close()
	return how(in, f)
}

func statCommand() *cobra.Command {
	moves := false
	cmd := &cobra.Command{
		Use:   "stat [MACHINE]",
		Short: "Show what a machine's kernel has counted: system calls, interrupts, switches, faults, memory",
		Long: `Stat shows what the kernel of a machine has counted. With --moves it asks all machines
of the rack, hosted ones too, how long each phase of moves of proclets has taken there.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if moves {
				return statMoves(cmd.Context())
			}
			return look(cmd.Context(), args, (*qemu.Inside).Look, func(m *inspect.Machine) error {
				s, err := m.Statistics()
				if err != nil {
					return err
				}
				return s.Write(os.Stdout)
			})
		},
	}
	cmd.Flags().BoolVar(&moves, "moves", false, "the phases of moves instead, of all machines")
	return cmd
}

func traceCommand() *cobra.Command {
	count := 0
	cmd := &cobra.Command{
		Use:   "trace [MACHINE]",
		Short: "Show the last events in a machine's kernel",
		Long: `Trace shows the last 512 events of each processor: switches of threads, wake-ups,
interrupts sent and received, faults, signals, and the system calls that waited or
failed. With the boot parameter trace=calls it has all system calls.`,
		Example: `  nuos run --param trace=calls ./images/kv
  nuos trace -c 100`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return look(cmd.Context(), args, (*qemu.Inside).LookStopped, func(m *inspect.Machine) error { return m.WriteTrace(os.Stdout, count) })
		},
	}
	cmd.Flags().IntVarP(&count, "count", "c", 1<<20, "how many events to show")
	return cmd
}

// reportEvents is how much of the trace a report shows.
const reportEvents = 100

func coreCommand() *cobra.Command {
	symbols := ""
	cmd := &cobra.Command{
		Use:   "core FILE",
		Short: "Show what a machine was doing when it crashed, or when nuos dump was called",
		Long: `Core reads the memory of a machine and shows where its processors were, its threads
and goroutines with their stacks, and its last events. A machine that crashes leaves
such a file in the rack's folder; its console says where. Symbols are expected beside
it, in FILE` + image.SymbolsSuffix + `.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := inspect.OpenCore(args[0])
			if err != nil {
				return err
			}
			defer c.Close()
			if symbols == "" {
				symbols = args[0] + image.SymbolsSuffix
			}
			s, err := inspect.ReadSymbols(symbols)
			if err != nil {
				return err
			}
			m, err := inspect.Open(s, c, c.Processors())
			if err != nil {
				return err
			}
			return m.Report(os.Stdout, reportEvents)
		},
	}
	cmd.Flags().StringVar(&symbols, "symbols", "", "file with the image's symbols")
	return cmd
}

func dumpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "dump FILE [MACHINE]",
		Short:   "Save the memory of a running machine for nuos core",
		Example: "  nuos dump slow 1 && nuos core slow",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, running, err := inside(cmd.Context(), args[1:])
			if err != nil {
				return err
			}
			defer in.Close()
			if err := in.Monitor.SaveCore(args[0]); err != nil {
				return err
			}
			symbols := args[0] + image.SymbolsSuffix
			if err := os.Remove(symbols); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return qemu.KeepSymbols(running.Image, symbols)
		},
	}
}

func stacksCommand() *cobra.Command {
	threads, goroutines := false, false
	cmd := &cobra.Command{
		Use:   "stacks [MACHINE]",
		Short: "Show what a machine is doing: its processors, threads and goroutines, with their stacks",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return look(cmd.Context(), args, (*qemu.Inside).LookStopped, func(m *inspect.Machine) error {
				if !threads && !goroutines {
					return m.Report(os.Stdout, reportEvents)
				}
				var errs []error
				if threads {
					errs = append(errs, m.WriteThreads(os.Stdout))
				}
				if goroutines {
					errs = append(errs, m.WriteGoroutines(os.Stdout))
				}
				return errors.Join(errs...)
			})
		},
	}
	cmd.Flags().BoolVarP(&threads, "threads", "t", false, "only the threads")
	cmd.Flags().BoolVarP(&goroutines, "goroutines", "g", false, "only the goroutines")
	return cmd
}
