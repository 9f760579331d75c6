package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nuos/internal/samples"
	"nuos/qemu"
)

func benchCommand() *cobra.Command {
	b := bench{options: qemu.Options{NoNIC: true, Machines: 1}}
	cmd := &cobra.Command{
		Use:   "bench PACKAGE [-- ARGUMENTS...]",
		Short: "Compare what a program measures with the same on Linux",
		Long: `Bench runs a main package in an image and in a Debian Linux guest, under the same
emulator, several times in turns, and prints the median of each figure that it prints
in the format of Go's benchmarks. "Start" is the time from the start of QEMU to the
first line of main.`,
		Example: `  nuos bench ./images/osbench
  nuos bench --machine microvm --runs 3 ./images/osbench -- Syscall FutexHandoff`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return b.run(cmd.Context(), args[0], args[1:])
		},
	}
	f := cmd.Flags()
	f.IntVar(&b.runs, "runs", 7, "how often each of the two runs")
	f.IntVar(&b.options.CPUs, "cpus", 2, "processors of each machine")
	f.IntVar(&b.options.Memory, "memory", 512, "MiB of each machine")
	f.StringVar(&b.options.MachineType, "machine", "q35", "q35, pc or microvm")
	f.StringVar(&b.options.Firmware, "firmware", "", "qboot or seabios, of q35 and pc (default qboot where QEMU has it)")
	f.StringVar(&b.options.CPU, "cpu", "", "processor model of QEMU, or default (default max)")
	f.StringArrayVar(&b.options.Params, "param", nil, "boot parameter NAME=VALUE of the image")
	return cmd
}

// bench is one invocation of nuos bench.
type bench struct {
	options qemu.Options
	runs    int
	nuos    samples.Set
	linux   samples.Set
}

func (b *bench) run(ctx context.Context, target string, args []string) error {
	dir, err := os.MkdirTemp("", "nuos-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	image, guest := b.options, b.options
	if err := buildFor(ctx, &image, target, "", dir); err != nil {
		return err
	}
	args = append([]string{"--"}, args...)
	image.Params = append(slices.Clone(image.Params), args...)
	guest.Params = append(slices.DeleteFunc(slices.Clone(guest.Params), isBootParameter), args...)
	if err := linuxFor(ctx, &guest, target, dir); err != nil {
		return err
	}
	for i := range b.runs {
		for _, side := range []struct {
			name    string
			options qemu.Options
			into    *samples.Set
		}{{"nuos", image, &b.nuos}, {"Linux", guest, &b.linux}} {
			fmt.Fprintf(os.Stderr, "run %d of %d on %s\n", i+1, b.runs, side.name)
			if err := b.measure(ctx, side.options, side.into); err != nil {
				return fmt.Errorf("%s: %w", side.name, err)
			}
		}
	}
	b.print(os.Stdout)
	return nil
}

// measure runs the program once.
func (b *bench) measure(ctx context.Context, o qemu.Options, into *samples.Set) error {
	var w firstLine
	o.Mirror = &w
	w.start = time.Now()
	console, code, err := qemu.Run(ctx, o)
	if err != nil {
		return fmt.Errorf("%w; console:\n%s", err, console)
	}
	if code != 0 {
		return fmt.Errorf("%w; console:\n%s", exitStatus(code), console)
	}
	if w.took == 0 {
		return errors.New("the program does not say goos: at first, as benchmarks do")
	}
	into.Add(samples.Figure{Benchmark: "Start", Unit: "ms"}, float64(w.took.Microseconds())/1e3)
	return into.Parse(console)
}

func (b *bench) print(w io.Writer) {
	fmt.Fprintf(w, "%s with %d processors, medians of %d runs (least to most)\n\n", b.options.MachineType, b.options.CPUs, b.runs)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\tunit\tnuos\t\tLinux\t\tnuos/Linux\n")
	for _, f := range b.nuos.Figures() {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.2f\n", f.Benchmark, f.Unit, spread(&b.nuos, f), spread(&b.linux, f), b.nuos.Median(f)/b.linux.Median(f))
	}
	t.Flush()
}

func spread(s *samples.Set, f samples.Figure) string {
	v := s.Values(f)
	if len(v) == 0 {
		return "-\t"
	}
	return fmt.Sprintf("%s\t(%s to %s)", figure(s.Median(f)), figure(slices.Min(v)), figure(slices.Max(v)))
}

func figure(v float64) string {
	if v < 100 {
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// firstLine takes the time until a benchmark's first line, which begins with goos:.
type firstLine struct {
	start time.Time
	took  time.Duration
	text  []byte
}

func (f *firstLine) Write(p []byte) (int, error) {
	if f.took == 0 {
		f.text = append(f.text, p...)
		if bytes.HasPrefix(f.text, []byte("goos:")) || bytes.Contains(f.text, []byte("\ngoos:")) {
			f.took, f.text = time.Since(f.start), nil
		}
	}
	return len(p), nil
}
