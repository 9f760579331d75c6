package gotest

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed exceptions.txt
var exceptionsFile string

// exception is a test that need not pass in an image.
type exception struct {
	reason string
	alone  bool // it ends the machine, and so has one of its own
}

// skipRule is a reason for which tests skip themselves here and not on Linux.
type skipRule struct{ says, reason string }

// exceptionList is what the file says.
type exceptionList struct {
	tests map[string]map[string]exception // by package and test
	skips []skipRule
}

var exceptions = sync.OnceValue(func() *exceptionList {
	all, err := parseExceptions(exceptionsFile)
	if err != nil {
		panic(err) // the file is part of the program
	}
	return all
})

func parseExceptions(text string) (*exceptionList, error) {
	all := &exceptionList{tests: map[string]map[string]exception{}}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if rule, ok := strings.CutPrefix(line, "skip "); ok {
			quoted, err := strconv.QuotedPrefix(rule)
			if err != nil || len(quoted) <= 2 || strings.TrimSpace(rule[len(quoted):]) == "" {
				return nil, fmt.Errorf("gotest: exceptions.txt:%d: want skip, a quoted part of what tests say, and a reason", n)
			}
			says, _ := strconv.Unquote(quoted)
			all.skips = append(all.skips, skipRule{says, strings.TrimSpace(rule[len(quoted):])})
			continue
		}
		f := strings.Fields(line)
		if len(f) < 3 {
			return nil, fmt.Errorf("gotest: exceptions.txt:%d: want a package, a test and a reason", n)
		}
		test, alone := strings.CutPrefix(f[1], "-")
		if all.tests[f[0]] == nil {
			all.tests[f[0]] = map[string]exception{}
		}
		if _, twice := all.tests[f[0]][test]; twice {
			return nil, fmt.Errorf("gotest: exceptions.txt:%d: %s of %s is there twice", n, test, f[0])
		}
		all.tests[f[0]][test] = exception{strings.Join(f[2:], " "), alone}
	}
	return all, nil
}

// Exception reports whether a test is known not to pass in an image.
func Exception(pkg, test string) bool {
	_, known := exceptions().find(pkg, test)
	return known
}

// alone lists the tests of a package that have a machine of their own.
func (l *exceptionList) alone(pkg string) (names []string) {
	for _, test := range slices.Sorted(maps.Keys(l.tests[pkg])) {
		if l.tests[pkg][test].alone {
			names = append(names, test)
		}
	}
	return names
}

// find returns the exception that a test or the test that it belongs to is.
func (l *exceptionList) find(pkg, test string) (exception, bool) {
	for {
		if x, ok := l.tests[pkg][test]; ok {
			return x, true
		}
		i := strings.LastIndexByte(test, '/')
		if i < 0 {
			return exception{}, false
		}
		test = test[:i]
	}
}

// skip returns the reason that the rules have for a test that said this when it
// skipped itself, "" if they have none.
func (l *exceptionList) skip(said string) string {
	for _, r := range l.skips {
		if strings.Contains(said, r.says) {
			return r.reason
		}
	}
	return ""
}

// Excepted lists the tests of the package that failed and are known to.
func (r *Result) Excepted() (names []string) {
	for _, name := range r.Failed() {
		if _, known := exceptions().find(r.Package, name); known {
			names = append(names, name)
		}
	}
	return names
}

// Unexpected lists the tests that failed and are no exceptions. Of a test that failed
// because of its subtests only those are listed.
func (r *Result) Unexpected() (names []string) {
	for _, name := range r.Failed() {
		if _, known := exceptions().find(r.Package, name); !known {
			names = append(names, name)
		}
	}
	return names
}

// Needless lists the exceptions of the package that passed or, if all of its tests
// ran to the end, that name no test. Those that were skipped by themselves are not
// judged.
func (r *Result) Needless() (names []string) {
	for name := range exceptions().tests[r.Package] {
		outcome, began := r.Outcome[name]
		if outcome == "pass" || !began && r.Whole() && !r.Crashed && r.ExitCode <= 1 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
