package gotest

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestExceptionsFile(t *testing.T) {
	if len(exceptions().tests) == 0 {
		t.Error("the file has no exceptions")
	}
	for _, bad := range []string{"os", "os TestX", "os TestX because\nos -TestX of\n", "skip cannot because", `skip "" because`, `skip "cannot"`} {
		if _, err := parseExceptions(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	all, err := parseExceptions("# a comment\n\nos TestA starts a process\nos -TestB ends\nskip \"cannot exec\" starts one\n")
	if err != nil || all.tests["os"]["TestA"] != (exception{"starts a process", false}) || all.tests["os"]["TestB"] != (exception{"ends", true}) {
		t.Errorf("%v, %v", all, err)
	}
	if got := all.alone("os"); !slices.Equal(got, []string{"TestB"}) {
		t.Errorf("alone: %v", got)
	}
	if got := all.skip("x_test.go:1: cannot exec: not there"); got != "starts one" {
		t.Errorf("skipped because %q", got)
	}
	if got := all.skip("short mode"); got != "" {
		t.Errorf("short mode: %q", got)
	}
	if _, ok := all.find("os", "TestA/inner"); !ok {
		t.Error("a subtest of an exception is none")
	}
}

// outcomes makes a result of the words TEST=OUTCOME; what a skipped test says stands behind a
// second equals sign.
func outcomes(pkg string, words ...string) *Result {
	r := newResult(pkg)
	for _, w := range words {
		f := strings.SplitN(w, "=", 3)
		r.Order = append(r.Order, f[0])
		if r.Outcome[f[0]] = f[1]; len(f) == 3 {
			r.Skipped[f[0]] = f[2]
		}
	}
	return r
}

// with replaces the exceptions file during a test.
func with(t *testing.T, file string) {
	all, err := parseExceptions(file)
	if err != nil {
		t.Fatal(err)
	}
	old := exceptions
	exceptions = func() *exceptionList { return all }
	t.Cleanup(func() { exceptions = old })
}

func TestExceptions(t *testing.T) {
	with(t, "p TestX fails\np TestY/a fails\np TestZ fails\np TestNone is not there\n")
	r := outcomes("p", "TestX=fail", "TestY=fail", "TestY/a=fail", "TestZ=pass", "TestOther=fail", "TestOther/b=fail", "TestGood=pass")
	if got := r.Excepted(); !slices.Equal(got, []string{"TestX", "TestY/a"}) {
		t.Errorf("excepted: %v", got)
	}
	if got := r.Unexpected(); !slices.Equal(got, []string{"TestOther/b"}) {
		t.Errorf("unexpected: %v", got)
	}
	if got := r.Needless(); !slices.Equal(got, []string{"TestNone", "TestZ"}) {
		t.Errorf("needless: %v", got)
	}
	r.Args = []string{"-test.run=X"} // who knows what the others would do
	if got := r.Needless(); !slices.Equal(got, []string{"TestZ"}) {
		t.Errorf("needless of some: %v", got)
	}
}

// A package passes if nothing but exceptions fails, and every exception is needed.
func TestPassed(t *testing.T) {
	with(t, "p TestX fails\n")
	for _, c := range []struct {
		tests  []string
		code   int
		passed bool
	}{
		{[]string{"TestX=fail", "TestA=pass"}, 1, true},
		{[]string{"TestX=fail", "TestA=fail"}, 1, false},
		{[]string{"TestX=fail"}, 2, false},
		{[]string{"TestX=pass"}, 0, false},
		{[]string{"TestX=skip"}, 0, true},
		{[]string{"TestX=skip"}, 1, false}, // TestMain
	} {
		r := outcomes("p", c.tests...)
		r.ExitCode = c.code
		if r.Passed() != c.passed {
			t.Errorf("%v, exit code %d: passed is %v", c.tests, c.code, r.Passed())
		}
	}
}

func TestCompare(t *testing.T) {
	with(t, "p TestX starts a process\np TestSub/a is slow\nskip \"no exec\" needs exec\n")
	there := outcomes("p", "TestA=pass", "TestB=pass", "TestX=pass", "TestY=pass", "TestS=pass", "TestR=pass", "TestR/a=pass",
		"TestSub=pass", "TestSub/a=pass", "TestSub/b=pass", "TestGone=pass", "TestBad=fail", "TestSkip=skip", "TestN=pass", "TestN/#1=pass")
	here := outcomes("p", "TestA=pass", "TestB=fail", "TestX=fail", "TestY=skip=because", "TestS=skip=there is no exec", "TestR=pass",
		"TestR/a=skip=no exec", "TestSub=fail", "TestSub/a=fail", "TestSub/b=pass", "TestBad=fail", "TestSkip=skip", "TestN=pass", "TestN/#2=pass")
	c := Compare(here, there)
	if want := []string{"TestA", "TestN"}; !slices.Equal(c.Passed, want) {
		t.Errorf("passed: %v, want %v", c.Passed, want)
	}
	if want := []string{"TestB", "TestGone", "TestY"}; !slices.Equal(c.Differ, want) {
		t.Errorf("differ: %v, want %v", c.Differ, want)
	}
	want := map[string]string{"TestX": "starts a process", "TestS": "needs exec", "TestR": "needs exec", "TestSub": "is slow"}
	if !maps.Equal(c.Excepted, want) {
		t.Errorf("excepted: %v, want %v", c.Excepted, want)
	}
	if c.Ran() != 9 {
		t.Errorf("%d ran there", c.Ran())
	}
}
