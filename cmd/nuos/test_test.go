package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nuos/qemu/gotest"
)

// Flags stand before or after packages, as with go test.
func TestTestFlags(t *testing.T) {
	for _, c := range []struct {
		line, packages, args string
		timeout              time.Duration
	}{
		{"", ".", "", 10 * time.Minute},
		{"sync -run X -v", "sync", "-test.run=X", 10 * time.Minute},
		{"-short -count=2 sync os -cpu 1,2 -timeout 5s", "sync os", "-test.short=true -test.count=2 -test.cpu=1,2", 5 * time.Second},
		{"-timeout 0 sync -args -v -run X", "sync", "-v -run X", -1},
		{"-args -args", ".", "-args", 10 * time.Minute},
	} {
		var r testRun
		packages, err := r.parse(r.flags(), strings.Fields(c.line))
		if err != nil {
			t.Errorf("%q: %v", c.line, err)
		}
		if got := strings.Join(packages, " "); got != c.packages {
			t.Errorf("%q: packages %q, want %q", c.line, got, c.packages)
		}
		if got := strings.Join(r.options.Args, " "); got != c.args || r.options.Timeout != c.timeout {
			t.Errorf("%q: arguments %q, want %q; timeout %v, want %v", c.line, got, c.args, r.options.Timeout, c.timeout)
		}
	}
	for _, bad := range []string{"-p 0 sync", "-nonsense", "sync -timeout soon"} {
		var r testRun
		if _, err := r.parse(r.flags(), strings.Fields(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// What failed is printed after the name of the test, with its subtests under it, and
// of what passed nothing; -v prints all.
func TestPrinter(t *testing.T) {
	events := []gotest.Event{
		{Action: "run", Test: "TestA"}, {Action: "output", Test: "TestA", Output: "=== RUN   TestA\n"},
		{Action: "output", Test: "TestA", Output: "    a_test.go:1: hello\n"},
		{Action: "run", Test: "TestA/x"}, {Action: "output", Test: "TestA/x", Output: "    a_test.go:2: bad\n"},
		{Action: "output", Test: "TestA/x", Output: "--- FAIL: TestA/x (0.00s)\n"}, {Action: "fail", Test: "TestA/x"},
		{Action: "run", Test: "TestA/y"}, {Action: "output", Test: "TestA/y", Output: "--- PASS: TestA/y (0.00s)\n"}, {Action: "pass", Test: "TestA/y"},
		{Action: "output", Test: "TestA", Output: "--- FAIL: TestA (0.00s)\n"}, {Action: "fail", Test: "TestA"},
		{Action: "run", Test: "TestB"}, {Action: "output", Test: "TestB", Output: "    b_test.go:1: fine\n"},
		{Action: "output", Test: "TestB", Output: "--- PASS: TestB (0.00s)\n"}, {Action: "pass", Test: "TestB"},
		{Action: "run", Test: "TestC"}, {Action: "output", Test: "TestC", Output: "    c_test.go:1: going\n"},
		{Action: "output", Output: "panic: over\n"}, {Action: "fail"},
	}
	r := result("p", "TestA=fail", "TestA/x=fail", "TestA/y=pass", "TestB=pass", "TestC=fail")
	for _, c := range []struct {
		verbose bool
		want    string
	}{
		{false, "--- FAIL: TestA (0.00s)\n    a_test.go:1: hello\n    --- FAIL: TestA/x (0.00s)\n        a_test.go:2: bad\npanic: over\n" +
			"    c_test.go:1: going\nFAIL\tp\t1.000s\n"},
		{true, "=== RUN   TestA\n    a_test.go:1: hello\n    a_test.go:2: bad\n--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/x (0.00s)\n" +
			"    --- PASS: TestA/y (0.00s)\n    b_test.go:1: fine\n--- PASS: TestB (0.00s)\n    c_test.go:1: going\npanic: over\nFAIL\tp\t1.000s\n"},
	} {
		for _, single := range []bool{false, true} {
			var b bytes.Buffer
			p := printer{run: &testRun{out: &b, verbose: c.verbose}, single: single}
			for _, e := range events {
				p.event(e)
			}
			p.end(r)
			if b.String() != c.want {
				t.Errorf("verbose %v:\n%s\nwant\n%s", c.verbose, &b, c.want)
			}
		}
	}
}

// result makes one of the words TEST=OUTCOME.
func result(pkg string, words ...string) *gotest.Result {
	r := &gotest.Result{Package: pkg, Outcome: map[string]string{}, Elapsed: time.Second}
	for _, w := range words {
		name, outcome, _ := strings.Cut(w, "=")
		r.Order, r.Outcome[name] = append(r.Order, name), outcome
		if outcome == "fail" {
			r.ExitCode = 1
		}
	}
	return r
}

// The table has every package with tests, and its sums say what share of what runs
// on Linux runs in images.
func TestTable(t *testing.T) {
	tab := newTable([]row{
		{pkg: "a", nuos: result("a", "TestA=pass", "TestB=pass", "TestB/x=pass"), linux: result("a", "TestA=pass", "TestB=pass", "TestB/x=pass")},
		{pkg: "b", nuos: result("b", "TestA=fail", "TestS=skip"), linux: result("b", "TestA=pass", "TestS=skip")},
		{pkg: "none", nuos: &gotest.Result{Package: "none", NoTests: true}},
		{pkg: "late", nuos: result("late", "TestA=pass")},
	})
	var b bytes.Buffer
	tab.text(&b)
	for _, want := range []string{
		"3 packages have tests; 2 pass, but for exceptions.",
		"2 packages run in the Linux guest; 1 of them (50.00 %) run entirely here, 1 of these without an exception.",
		"3 tests of these pass in the Linux guest; 2 (66.67 %) pass here, 0 (0.00 %) are exceptions, 1 (33.33 %) are neither.",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &b)
		}
	}
	file := filepath.Join(t.TempDir(), "table.md")
	if err := tab.save(file, "nuos test a b"); err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(doc), "\n")
	for _, want := range []string{
		"Written by `nuos test a b`.",
		"| a | 2 | 2 | 0 | 0 | 1.0s | 0 | 2 | 2 | 0 | 0 | 1.0s |",
		"| b | 2 | 0 | 1 | 1 | 1.0s | 0 | 2 | 1 | 0 | 1 | 1.0s |",
		"| late | 1 | 1 | 0 | 0 | 1.0s | 0 | not run |  |  |  |  |",
		"| 3 packages | 5 | 3 | 1 | 1 | 3s | 0 | 4 | 3 | 0 | 1 | 2s |",
		"- **without a reason that is known**: b TestA",
		"- b TestA (in the Linux guest: pass)",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the document lacks %q:\n%s", want, doc)
		}
	}
}
