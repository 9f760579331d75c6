package gotest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// Tests of a module that knows nothing of nuos run, and how each went is known,
// also when the program ends in the middle.
func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    []string
		outcome map[string]string
		failed  []string
		code    int
	}{
		{"whole", []string{"-test.skip=TestExit|TestInner"}, map[string]string{"TestPass": "pass", "TestSkip": "skip", "TestInit": "pass", "TestNever": "pass"}, nil, 0},
		{"exit", nil, map[string]string{
			"TestPass": "pass", "TestSkip": "skip", "TestInit": "pass", "TestInner": "fail", "TestInner/good": "pass", "TestInner/bad": "fail", "TestExit": "fail",
		}, []string{"TestInner/bad", "TestExit"}, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			var output strings.Builder
			r, err := Run(ctx, ".", Options{Dir: "testdata/outcomes", Args: c.args, Memory: 256, CPUs: 1,
				Output: func(e Event) { output.WriteString(e.Output) }})
			if err != nil {
				t.Fatal(err)
			}
			if r.Package != "example.com/outcomes" || r.ExitCode != c.code || r.Crashed || r.Passed() != (c.code == 0) {
				t.Errorf("%+v\n%s", r, output.String())
			}
			if !maps.Equal(r.Outcome, c.outcome) {
				t.Errorf("outcomes %v, want %v\n%s", r.Outcome, c.outcome, output.String())
			}
			if got := r.Failed(); !slices.Equal(got, c.failed) {
				t.Errorf("failed: %v, want %v", got, c.failed)
			}
		})
	}
}

// Subtests are not counted, and what was running at the end failed.
func TestCount(t *testing.T) {
	r := newResult("p")
	for _, e := range []Event{
		{Action: "run", Test: "A"}, {Action: "run", Test: "A/1"}, {Action: "pass", Test: "A/1"}, {Action: "pass", Test: "A"},
		{Action: "run", Test: "B"}, {Action: "skip", Test: "B"}, {Action: "run", Test: "C"}, {Action: "output", Test: "C", Output: "x"},
	} {
		r.note(e)
	}
	r.ended()
	run, passed, failed, skipped := r.Count()
	if run != 3 || passed != 1 || failed != 1 || skipped != 1 {
		t.Errorf("%d run, %d passed, %d failed, %d skipped", run, passed, failed, skipped)
	}
	if got := r.Failed(); !slices.Equal(got, []string{"C"}) {
		t.Errorf("failed: %v", got)
	}
}

// A test that runs several times has the worst of its outcomes.
func TestCountSeveral(t *testing.T) {
	r := newResult("p")
	for _, action := range []string{"run", "pass", "run", "fail", "run", "skip", "run", "pass"} {
		r.note(Event{Action: action, Test: "A"})
	}
	r.ended()
	if r.Outcome["A"] != "fail" || len(r.Order) != 1 {
		t.Errorf("%v, %v", r.Outcome, r.Order)
	}
}
