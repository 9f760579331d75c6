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
	single bool                        // nobody prints between our lines
	all    strings.Builder             // until the package has ended, if not single
	tests  map[string]*strings.Builder // what each test has printed
}

func (p *printer) event(e gotest.Event) {
	switch {
	case p.run.json:
		if e.Test == "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip") {
			return // end says it, who knows of exceptions
		}
		p.json(e)
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
		if !gotest.Exception(e.Package, top) {
			p.write(b.String())
		}
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
	for _, b := range p.tests {
		p.write(b.String()) // was running when the machine ended
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
