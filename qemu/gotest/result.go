package gotest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Event is one line of what go tool test2json prints; its documentation says what
// the fields mean.
type Event struct {
	Time    time.Time `json:",omitzero"`
	Action  string
	Package string
	Test    string   `json:",omitempty"`
	Elapsed *float64 `json:",omitempty"` // seconds
	Output  string   `json:",omitempty"`
}

// Result is how the tests of one package went.
type Result struct {
	Package  string
	NoTests  bool              // there are none
	Args     []string          // that the caller gave the test binary
	Began    time.Time         // when the machine was started
	Revision string            // of this module, as git names it; empty if it does not
	Outcome  map[string]string // of every test, example and subtest that began: pass, fail or skip
	Skipped  map[string]string // the last thing that those said that were skipped
	Order    []string          // in which they began
	Elapsed  time.Duration     // from the start of the machine to its end
	ExitCode int
	Crashed  bool   // the machine ended without an exit code, or took too long
	Console  string // all of it, or the last MiB

	Kept bool `json:"-"` // it was not run this time, see Options.Results

	said map[string]string // the last output of those that run
}

func newResult(pkg string) *Result {
	return &Result{Package: pkg, Outcome: map[string]string{}, Skipped: map[string]string{}, said: map[string]string{}}
}

// Whole reports whether no argument chose some of the tests.
func (r *Result) Whole() bool {
	return !slices.ContainsFunc(r.Args, func(a string) bool {
		name, _, _ := strings.Cut(a, "=")
		return name == "-test.run" || name == "-test.skip" || name == "-test.failfast"
	})
}

// Passed reports whether everything that ran passed, but for exceptions, and no
// exception is needless.
func (r *Result) Passed() bool {
	return !r.Crashed && (r.ExitCode == 0 || r.ExitCode == 1 && len(r.Excepted()) > 0) &&
		len(r.Unexpected()) == 0 && len(r.Needless()) == 0
}

// timedOut reports whether the tests ended themselves because they took too long.
func (r *Result) timedOut() bool { return strings.Contains(r.Console, "panic: test timed out after ") }

// Count returns how many tests and examples began, without subtests, and how many
// of them passed, failed and were skipped. One that was running when the machine
// ended failed.
func (r *Result) Count() (run, passed, failed, skipped int) {
	for name, outcome := range r.Outcome {
		if strings.Contains(name, "/") {
			continue
		}
		run++
		switch outcome {
		case "pass":
			passed++
		case "skip":
			skipped++
		default:
			failed++
		}
	}
	return
}

// Failed lists the tests that failed, in the order in which they began. Of a test
// that failed because of its subtests only those are listed.
func (r *Result) Failed() (names []string) {
	for _, name := range r.Order {
		if r.Outcome[name] != "fail" {
			continue
		}
		inner := slices.ContainsFunc(r.Order, func(other string) bool {
			return strings.HasPrefix(other, name+"/") && r.Outcome[other] == "fail"
		})
		if !inner {
			names = append(names, name)
		}
	}
	return names
}

// note takes one event in. A test that runs several times has the worst of its outcomes.
func (r *Result) note(e Event) {
	if e.Test == "" {
		return
	}
	before, began := r.Outcome[e.Test]
	if !began {
		r.Order = append(r.Order, e.Test)
		r.Outcome[e.Test] = "pass" // so far
	}
	switch e.Action {
	case "run":
		r.said[e.Test] = ""
	case "output":
		line := strings.TrimSpace(e.Output)
		noise := slices.ContainsFunc([]string{"=== ", "--- ", "nuos: "}, func(p string) bool { return strings.HasPrefix(line, p) })
		if _, runs := r.said[e.Test]; runs && line != "" && !noise {
			r.said[e.Test] = line
		}
	case "pass":
		delete(r.said, e.Test)
	case "skip":
		r.Skipped[e.Test] = r.said[e.Test]
		delete(r.said, e.Test)
		if before != "fail" {
			r.Outcome[e.Test] = "skip"
		}
	case "fail":
		delete(r.said, e.Test)
		r.Outcome[e.Test] = "fail"
	}
}

// ended says that nothing runs any more: what was running has failed.
func (r *Result) ended() {
	for test := range r.said {
		r.Outcome[test] = "fail"
	}
	clear(r.said)
}

// listener turns the output of a test binary into events.
type listener struct {
	io.WriteCloser // the converter's input
	convert        *exec.Cmd
	done           chan error
}

// listen starts go tool test2json. Close waits until everything was understood.
func (r *Result) listen(ctx context.Context, output func(Event)) (*listener, error) {
	convert := exec.CommandContext(ctx, "go", "tool", "test2json", "-t", "-p", r.Package)
	in, err := convert.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := convert.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := convert.Start(); err != nil {
		return nil, fmt.Errorf("gotest: go tool test2json: %w", err)
	}
	l := &listener{in, convert, make(chan error, 1)}
	go func() {
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				r.ended()
				l.done <- nil
				return
			}
			var e Event
			if json.Unmarshal(line, &e) == nil {
				r.note(e)
				if output != nil {
					output(e)
				}
			}
		}
	}()
	return l, nil
}

func (l *listener) Close() error {
	l.WriteCloser.Close()
	<-l.done
	return l.convert.Wait()
}
