package gotest

import (
	"slices"
	"testing"
)

func TestExceptionsFile(t *testing.T) {
	if len(exceptions()) == 0 {
		t.Error("the file has no exceptions")
	}
	for _, bad := range []string{"os", "os TestX", "os TestX because\nos -TestX of\n"} {
		if _, err := parseExceptions(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	all, err := parseExceptions("# a comment\n\nos TestA starts a process\nos -TestB ends\n")
	if err != nil || all["os"]["TestA"] != (exception{"starts a process", false}) || all["os"]["TestB"] != (exception{"ends", true}) {
		t.Errorf("%v, %v", all, err)
	}
}

func TestExceptions(t *testing.T) {
	r := newResult("sync")
	r.Outcome = map[string]string{"TestMutexMisuse": "fail", "TestIssue76126": "pass", "TestOther": "fail", "TestGood": "pass"}
	r.order = []string{"TestMutexMisuse", "TestIssue76126", "TestOther", "TestGood"}
	if got := r.Excepted(); !slices.Equal(got, []string{"TestMutexMisuse"}) {
		t.Errorf("excepted: %v", got)
	}
	if got := r.Unexpected(); !slices.Equal(got, []string{"TestOther"}) {
		t.Errorf("unexpected: %v", got)
	}
	if got := r.Needless(); !slices.Equal(got, []string{"TestIssue76126"}) {
		t.Errorf("needless: %v", got)
	}
}
