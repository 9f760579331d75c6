package main

import (
	"context"
	"encoding/json"
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
each in a machine of its own, and prints what go test prints. Its flags are those of
go test, and:

` + usage(flags),
		Example: `  nuos test sync
  nuos test -run TestMutex -v sync
  nuos test -linux -p 2 std`,
		DisableFlagParsing: true, // they are go test's
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) || flags.NArg() == 0 {
				return cmd.Help()
			} else if err != nil {
				return err
			}
			r.out = os.Stdout
			patterns := flags.Args()
			if i := slices.Index(patterns, "-args"); i >= 0 {
				r.options.Args = append(r.options.Args, patterns[i+1:]...)
				patterns = patterns[:i]
			}
			return r.run(cmd.Context(), patterns)
		},
	}
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
	f.DurationVar(&r.options.Timeout, "timeout", 10*time.Minute, "end of the tests of one package")
	f.IntVar(&r.parallel, "p", max(1, runtime.NumCPU()/2), "how many machines run at a `time`")
	f.IntVar(&r.options.Memory, "memory", 2048, "`MiB` of each machine")
	f.IntVar(&r.options.CPUs, "cpus", 2, "processors of each machine")
	f.BoolVar(&r.compare, "linux", false, "run the same tests in a Debian Linux guest beside, for comparison")
	return f
}

func usage(f *flag.FlagSet) string {
	var b strings.Builder
	f.SetOutput(&b)
	f.PrintDefaults()
	f.SetOutput(io.Discard)
	return b.String()
}

// row is a package in the table.
type row struct {
	nuos, linux *gotest.Result
	err         error // the tests could not be run
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
	if len(packages) > 1 && !r.json {
		printTable(r.out, rows)
	}
	failed := 0
	for _, row := range rows {
		if row.err != nil || !row.nuos.Passed() {
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
	if w.nuos, w.err = gotest.Run(ctx, pkg, o); w.err != nil {
		r.print(fmt.Sprintf("FAIL\t%s [cannot be run: %v]\n", pkg, w.err))
		return w
	}
	if w.nuos.NoTests {
		r.print(fmt.Sprintf("?   \t%s\t[no test files]\n", pkg))
		return w
	}
	p.end(w.nuos)
	if r.compare {
		o.Linux, o.Output = true, nil
		if w.linux, w.err = gotest.Run(ctx, pkg, o); w.err != nil {
			r.print(fmt.Sprintf("FAIL\t%s [cannot be run on Linux: %v]\n", pkg, w.err))
		}
	}
	return w
}

func (r *testRun) print(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	io.WriteString(r.out, s)
}

// printer prints the events of one package as go test does.
type printer struct {
	run    *testRun
	single bool                        // nobody prints between our lines
	all    strings.Builder             // until the package has ended, if not single
	tests  map[string]*strings.Builder // what each test has printed
}

func (p *printer) event(e gotest.Event) {
	switch {
	case p.run.json:
		b, _ := json.Marshal(e)
		p.run.print(string(b) + "\n")
	case e.Output == "" && e.Action != "fail" && e.Action != "pass" && e.Action != "skip":
	case p.run.verbose:
		p.write(e.Output)
	case e.Test == "":
		if e.Output != "PASS\n" {
			p.write(e.Output)
		}
	default:
		p.hold(e)
	}
}

// hold keeps what a test prints until it is known to have failed.
func (p *printer) hold(e gotest.Event) {
	top, _, _ := strings.Cut(e.Test, "/")
	if p.tests == nil {
		p.tests = map[string]*strings.Builder{}
	}
	b := p.tests[top]
	if b == nil {
		b = new(strings.Builder)
		p.tests[top] = b
	}
	for _, noise := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "} {
		if strings.HasPrefix(e.Output, noise) {
			e.Output = ""
		}
	}
	b.WriteString(e.Output)
	switch {
	case e.Test != top:
	case e.Action == "fail":
		p.write(b.String())
		delete(p.tests, top)
	case e.Action == "pass" || e.Action == "skip":
		delete(p.tests, top)
	}
}

func (p *printer) write(s string) {
	if p.single {
		p.run.print(s)
	} else {
		p.all.WriteString(s)
	}
}

// end prints the package's line, and all that was held.
func (p *printer) end(r *gotest.Result) {
	if p.run.json {
		return
	}
	for _, b := range p.tests {
		p.write(b.String()) // was running when the machine ended
	}
	word, note := "ok  ", ""
	if !r.Passed() {
		word = "FAIL"
	}
	if n := len(r.Excepted()); n > 0 {
		note = fmt.Sprintf(" (%d known exceptions)", n)
	}
	p.write(fmt.Sprintf("%s\t%s\t%.3fs%s\n", word, r.Package, r.Elapsed.Seconds(), note))
	if !p.single {
		p.run.print(p.all.String())
	}
}
