package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"nuos/qemu/gotest"
)

// printer prints the events of one package as go test does.
type printer struct {
	run    *testRun
	single bool                   // nobody prints between our lines
	all    strings.Builder        // until the package has ended, if not single
	tests  map[string]*testOutput // those whose outermost test has not ended
}

// testOutput is what is held of a test until its outermost test has ended.
type testOutput struct {
	report string   // "--- FAIL: TestX (0.00s)", empty while it runs
	lines  []string // what it said, unless it was printed at once
	inner  []string // its subtests
}

func (p *printer) event(e gotest.Event) {
	ended := e.Action == "pass" || e.Action == "fail" || e.Action == "skip"
	switch {
	case p.run.json:
		if e.Test != "" || !ended { // end says it, who knows of exceptions
			p.json(e)
		}
	case e.Test == "":
		if e.Output != "PASS\n" || p.run.verbose {
			p.write(e.Output)
		}
	case e.Action == "output":
		p.output(e)
	case ended && !strings.Contains(e.Test, "/"):
		if p.run.verbose || e.Action == "fail" && !gotest.Exception(e.Package, e.Test) {
			p.tree(e.Test, "")
		}
		p.forget(e.Test)
	}
}

// output takes in one line of a test.
func (p *printer) output(e gotest.Event) {
	t := p.test(e.Test)
	switch {
	case strings.HasPrefix(e.Output, "--- "):
		t.report = e.Output
	case p.run.verbose:
		p.write(e.Output)
	case !strings.HasPrefix(e.Output, "=== "):
		t.lines = append(t.lines, e.Output)
	}
}

// test returns what is held of a test.
func (p *printer) test(name string) *testOutput {
	if t := p.tests[name]; t != nil {
		return t
	}
	if p.tests == nil {
		p.tests = map[string]*testOutput{}
	}
	t := new(testOutput)
	p.tests[name] = t
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		outer := p.test(name[:i])
		outer.inner = append(outer.inner, name)
	}
	return t
}

// tree prints what is held of a test, and of its subtests those that failed or all.
func (p *printer) tree(name, indent string) {
	t := p.tests[name]
	if t == nil || !p.run.verbose && strings.HasPrefix(t.report, "--- ") && !strings.HasPrefix(t.report, "--- FAIL") {
		return
	}
	if t.report != "" {
		p.write(indent + t.report)
	}
	for _, line := range t.lines {
		p.write(indent + line)
	}
	for _, inner := range t.inner {
		p.tree(inner, indent+"    ")
	}
}

func (p *printer) forget(name string) {
	if t := p.tests[name]; t != nil {
		for _, inner := range t.inner {
			p.forget(inner)
		}
		delete(p.tests, name)
	}
}

func (p *printer) write(s string) {
	if p.single {
		p.run.print(s)
	} else {
		p.all.WriteString(s)
	}
}

// json prints one event for programs.
func (p *printer) json(e gotest.Event) {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // there is nothing in it that cannot be marshalled
	}
	p.run.print(string(b) + "\n")
}

// end prints the package's line, and all that was held.
func (p *printer) end(r *gotest.Result) {
	seconds := r.Elapsed.Seconds()
	word, action, note := "ok  ", "pass", ""
	if !r.Passed() {
		word, action = "FAIL", "fail"
	}
	if n := len(r.Excepted()); n > 0 {
		note += fmt.Sprintf(" (%d known exceptions)", n)
	}
	if len(r.Order) == 0 {
		note += " [no tests to run]"
	}
	if r.Kept {
		note += " (kept)"
	}
	line := fmt.Sprintf("%s\t%s\t%.3fs%s\n", word, r.Package, seconds, note)
	if r.NoTests {
		line, action = fmt.Sprintf("?   \t%s\t[no test files]\n", r.Package), "skip"
	}
	if p.run.json {
		for _, name := range r.Needless() {
			p.json(gotest.Event{Time: time.Now(), Action: "output", Package: r.Package, Output: needless(name)})
		}
		p.json(gotest.Event{Time: time.Now(), Action: "output", Package: r.Package, Output: line})
		p.json(gotest.Event{Time: time.Now(), Action: action, Package: r.Package, Elapsed: &seconds})
		return
	}
	for name := range p.tests {
		if !strings.Contains(name, "/") {
			p.tree(name, "") // was running when the machine ended
		}
	}
	for _, name := range r.Needless() {
		p.write(needless(name))
	}
	p.write(line)
	if !p.single {
		p.run.print(p.all.String())
	}
}

func needless(test string) string {
	return test + " is in exceptions.txt, but passes or is not there: take it out\n"
}

// broken prints that tests could not be run.
func (p *printer) broken(pkg string, err error) {
	line := fmt.Sprintf("FAIL\t%s [cannot be run: %v]\n", pkg, err)
	if p.run.json {
		p.json(gotest.Event{Time: time.Now(), Action: "output", Package: pkg, Output: line})
		p.json(gotest.Event{Time: time.Now(), Action: "fail", Package: pkg})
		return
	}
	p.run.print(line)
}
