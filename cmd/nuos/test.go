package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"nuos/qemu/gotest"
)

// testRun is one invocation of nuos test.
type testRun struct {
	options  gotest.Options
	verbose  bool
	json     bool
	compare  bool // run everything in the Linux guest too
	parallel int
	table    string // file for the table
	command  string // what the user typed

	mu  sync.Mutex // one line of output at a time
	out io.Writer
}

func testCommand() *cobra.Command {
	var r testRun
	flags := r.flags()
	return &cobra.Command{
		Use:   "test [FLAGS] PACKAGES...",
		Short: "Run the tests of any Go packages in virtual machines",
		Long: `Test builds the tests of packages with the stock Go toolchain into images, boots
each in a machine of its own, and prints what go test prints, and of several packages
a table. Tests that are known not to pass in an image are listed with their reasons in
qemu/gotest/exceptions.txt; one that passes all the same is a failure. Flags:

` + usage(flags),
		Example: `  nuos test sync
  nuos test -run TestMutex -v sync
  nuos test -short -linux -p 2 -results /tmp/std -table docs/conformity.md std`,
		DisableFlagParsing: true, // they are go test's
		RunE: func(cmd *cobra.Command, args []string) error {
			patterns, err := r.parse(flags, args)
			if errors.Is(err, flag.ErrHelp) {
				return cmd.Help()
			} else if err != nil {
				return err
			}
			r.out, r.command = os.Stdout, "nuos test "+strings.Join(args, " ")
			return r.run(cmd.Context(), patterns)
		},
	}
}

// parse takes flags before and after the packages, as go test does. What follows
// -args goes to the tests as it is. Without packages it is the one in this folder.
func (r *testRun) parse(flags *flag.FlagSet, args []string) (patterns []string, err error) {
	for len(args) > 0 {
		if args[0] == "-args" || args[0] == "--args" {
			r.options.Args = append(r.options.Args, args[1:]...)
			break
		}
		if !strings.HasPrefix(args[0], "-") {
			patterns = append(patterns, args[0])
			args = args[1:]
			continue
		}
		i := slices.IndexFunc(args, func(a string) bool { return a == "-args" || a == "--args" })
		if i < 0 {
			i = len(args)
		}
		if err := flags.Parse(args[:i]); err != nil {
			return nil, err
		}
		args = slices.Concat(flags.Args(), args[i:])
	}
	if r.parallel < 1 {
		return nil, fmt.Errorf("-p %d: at least one machine must run", r.parallel)
	}
	if r.options.Timeout == 0 {
		r.options.Timeout = -1 // none, as in go test
	}
	if len(patterns) == 0 {
		patterns = []string{"."}
	}
	return patterns, nil
}

// passed lists the flags that test binaries know themselves.
var passed = []struct{ name, doc string }{
	{"run", "tests, examples and fuzz tests to run, a regular `expression`"},
	{"skip", "those not to run, a regular `expression`"},
	{"bench", "benchmarks to run, a regular `expression`"},
	{"benchtime", "`time` or number of runs of each benchmark"},
	{"count", "how many `times` each test runs"},
	{"cpu", "values of GOMAXPROCS to run tests with, a `list`"},
	{"parallel", "how many tests of a binary run at a `time`"},
	{"shuffle", "`seed`, on or off"},
}

func (r *testRun) flags() *flag.FlagSet {
	f := flag.NewFlagSet("nuos test", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	for _, p := range passed {
		f.Func(p.name, p.doc, func(value string) error {
			r.options.Args = append(r.options.Args, "-test."+p.name+"="+value)
			return nil
		})
	}
	for _, name := range []string{"short", "failfast", "benchmem"} {
		f.BoolFunc(name, "as in go test", func(value string) error {
			r.options.Args = append(r.options.Args, "-test."+name+"="+value)
			return nil
		})
	}
	f.BoolVar(&r.verbose, "v", false, "print what every test prints")
	f.BoolVar(&r.json, "json", false, "print events as go test -json does")
	f.DurationVar(&r.options.Timeout, "timeout", 10*time.Minute, "end of the tests of one package; 0 is none")
	f.IntVar(&r.parallel, "p", max(1, runtime.NumCPU()/2), "how many machines run at a `time`")
	f.IntVar(&r.options.Memory, "memory", 2048, "`MiB` of each machine")
	f.IntVar(&r.options.CPUs, "cpus", 2, "processors of each machine")
	f.BoolVar(&r.compare, "linux", false, "run the same tests in a Debian Linux guest beside, for comparison")
	f.StringVar(&r.table, "table", "", "`file` to write the table to, as Markdown")
	f.StringVar(&r.options.Results, "results", "", "`folder` of results: packages that passed according to it are not run again, others are added")
	f.BoolVar(&r.options.Kept, "kept", false, "run nothing: the table is of what -results has")
	return f
}

func usage(f *flag.FlagSet) string {
	var b strings.Builder
	f.SetOutput(&b)
	f.PrintDefaults()
	f.SetOutput(io.Discard)
	return b.String()
}

// run tests every package. The result is an error if one of them failed.
func (r *testRun) run(ctx context.Context, patterns []string) error {
	packages, err := gotest.List(ctx, patterns...)
	if err != nil {
		return err
	}
	rows := make([]row, len(packages))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(r.parallel, len(packages)) {
		wg.Go(func() {
			for i := range next {
				rows[i] = r.test(ctx, packages[i])
			}
		})
	}
	for i := range packages {
		if ctx.Err() == nil {
			next <- i
		}
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	t := newTable(rows)
	if len(packages) > 1 && !r.json {
		t.text(r.out)
	}
	if r.table != "" {
		if err := t.save(r.table, r.command); err != nil {
			return err
		}
	}
	failed := 0
	for _, row := range rows {
		if !row.passed() {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("the tests of %d of %d packages failed", failed, len(packages))
	}
	return nil
}

// test runs the tests of one package on both systems, if that is wanted.
func (r *testRun) test(ctx context.Context, pkg string) (w row) {
	o := r.options
	p := printer{run: r, single: r.parallel == 1}
	o.Output = p.event
	w.pkg = pkg
	if w.nuos, w.err = gotest.Run(ctx, pkg, o); w.err != nil {
		p.broken(pkg, w.err)
		return w
	}
	p.end(w.nuos)
	if r.compare && !w.nuos.NoTests {
		o.Linux, o.Output = true, nil
		w.linux, w.err = gotest.Run(ctx, pkg, o)
		if errors.Is(w.err, gotest.ErrNotKept) {
			w.err = nil // the table shows it
		} else if w.err != nil {
			p.broken(pkg, fmt.Errorf("on Linux: %w", w.err))
		}
	}
	return w
}

func (r *testRun) print(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	io.WriteString(r.out, s)
}
