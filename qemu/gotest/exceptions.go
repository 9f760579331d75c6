package gotest

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed exceptions.txt
var exceptionsFile string

// exception is a test that need not pass in an image.
type exception struct {
	reason  string
	skipped bool // it is not even run
}

// exceptions are those of the file, by package and test.
var exceptions = sync.OnceValue(func() map[string]map[string]exception {
	all, err := parseExceptions(exceptionsFile)
	if err != nil {
		panic(err) // the file is part of the program
	}
	return all
})

func parseExceptions(text string) (map[string]map[string]exception, error) {
	all := map[string]map[string]exception{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 3 {
			return nil, fmt.Errorf("gotest: exceptions.txt:%d: want a package, a test and a reason", n)
		}
		test, skipped := strings.CutPrefix(f[1], "-")
		if all[f[0]] == nil {
			all[f[0]] = map[string]exception{}
		}
		if _, twice := all[f[0]][test]; twice {
			return nil, fmt.Errorf("gotest: exceptions.txt:%d: %s of %s is there twice", n, test, f[0])
		}
		all[f[0]][test] = exception{strings.Join(f[2:], " "), skipped}
	}
	return all, nil
}

// skipArgument tells the tests of a package which of them not to run.
func skipArgument(pkg string) (args []string) {
	var names []string
	for _, test := range slices.Sorted(maps.Keys(exceptions()[pkg])) {
		if exceptions()[pkg][test].skipped {
			names = append(names, test)
		}
	}
	if len(names) > 0 {
		args = []string{"-test.skip=^(" + strings.Join(names, "|") + ")$"}
	}
	return args
}

// Excepted lists the tests of the package that failed and are known to.
func (r *Result) Excepted() (names []string) {
	for name, outcome := range r.Outcome {
		if _, known := exceptions()[r.Package][name]; known && outcome == "fail" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Unexpected lists the tests that failed and are no exceptions. Of a test that failed
// because of its subtests only those are listed, and none if the test is an exception.
func (r *Result) Unexpected() (names []string) {
	for _, name := range r.Failed() {
		top, _, _ := strings.Cut(name, "/")
		_, known := exceptions()[r.Package][name]
		if _, all := exceptions()[r.Package][top]; !known && !all {
			names = append(names, name)
		}
	}
	return names
}

// Needless lists the exceptions of the package that passed. Those that were not run, or
// were skipped by themselves, are not judged.
func (r *Result) Needless() (names []string) {
	for name := range exceptions()[r.Package] {
		if r.Outcome[name] == "pass" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
