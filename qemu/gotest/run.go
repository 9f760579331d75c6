package gotest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Options says how tests run. The zero value is useful.
type Options struct {
	Dir     string        // where the go command runs; default: the current folder
	Args    []string      // of the test binary, such as -test.run=X; -test.v is given anyway
	Timeout time.Duration // of the tests; 0 means ten minutes, as with go test, less than 0 a week
	Memory  int           // of the machine in MiB; 0 means 2048
	CPUs    int           // 0 means 2
	Linux   bool          // run them in the Linux guest
	Output  func(Event)   // if set, gets everything that happens, as it happens
	Results string        // if set, a folder of results; what it has is not run again, see Result.Kept
	Kept    bool          // nothing is run: what Results does not have is ErrNotKept
}

// Run builds and runs the tests of the package pkg, as the go command in o.Dir
// names it. An error says that they could not be run; tests that
// fail, and machines that crash or take too long, are in the result. Several may
// run at a time.
func Run(ctx context.Context, pkg string, o Options) (*Result, error) {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	} else if o.Timeout < 0 {
		o.Timeout = 7 * 24 * time.Hour
	}
	if o.Memory == 0 {
		o.Memory = 2048
	}
	if o.CPUs == 0 {
		o.CPUs = 2
	}
	work, err := os.MkdirTemp("", "nuos-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)

	p, err := find(ctx, o.Dir, pkg)
	if err != nil {
		return nil, err
	}
	res := newResult(p.ImportPath)
	if len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 {
		res.NoTests = true
		return res, nil
	}
	if kept := o.kept(p.ImportPath); kept != nil {
		return kept, nil
	} else if o.Kept {
		return nil, fmt.Errorf("gotest: %s: %w", p.ImportPath, ErrNotKept)
	}
	res.Args, res.Began, res.Revision = o.Args, time.Now(), revision(ctx)
	if err := o.run(ctx, p, work, res); err != nil {
		return nil, err
	}
	return res, o.keep(res)
}

// run fills res in.
func (o Options) run(ctx context.Context, p *goPackage, work string, res *Result) (err error) {
	var machine guest
	if o.Linux {
		machine, err = linuxGuest(ctx, o.Dir, p, work)
	} else {
		machine, err = nuosGuest(ctx, o.Dir, p, work)
	}
	if err != nil {
		return err
	}
	args := append([]string{"-test.v=test2json", "-test.paniconexit0", "-test.timeout=" + o.Timeout.String()}, o.Args...)
	// Whoever chooses tests gets those.
	alone := exceptions().alone(p.ImportPath)
	if !res.Whole() {
		alone = nil
	}
	together := slices.Clip(args)
	if len(alone) > 0 {
		together = append(together, "-test.skip=^("+strings.Join(alone, "|")+")$")
	}
	if err := machine.run(ctx, o, together, res); err != nil {
		return err
	}
	for _, test := range alone {
		if res.Crashed {
			break
		}
		if err := o.runAlone(ctx, machine, test, args, res); err != nil {
			return err
		}
	}
	return nil
}

// soloTime is how long a test may take that has a machine of its own.
const soloTime = time.Minute

// runAlone boots a machine for one test and adds how it went to res. What the machine
// says when the test ends it is not told.
func (o Options) runAlone(ctx context.Context, machine guest, test string, args []string, res *Result) error {
	if output := o.Output; output != nil {
		o.Output = func(e Event) {
			if e.Test != "" {
				output(e)
			}
		}
	}
	o.Timeout = min(o.Timeout, soloTime)
	one := newResult(res.Package)
	args = append(slices.Clip(args), "-test.timeout="+o.Timeout.String(), "-test.run=^"+test+"$")
	if err := machine.run(ctx, o, args, one); err != nil {
		return err
	}
	res.add(test, one)
	return nil
}

// add takes in how a test went that had a machine of its own.
func (r *Result) add(test string, one *Result) {
	if _, began := one.Outcome[test]; !began {
		r.Order = append(r.Order, test)
	}
	r.Order = append(r.Order, one.Order...)
	maps.Copy(r.Outcome, one.Outcome)
	maps.Copy(r.Skipped, one.Skipped)
	r.Elapsed += one.Elapsed
	r.Console += one.Console
	if one.Crashed || one.ExitCode != 0 {
		r.Outcome[test] = "fail" // it ended the machine, which is why it had one
	}
}
