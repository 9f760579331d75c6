package gotest

import (
	"maps"
	"testing"
	"time"
)

// A result is used again if it passed and is of the same arguments; in the Linux guest
// also if it did not.
func TestKept(t *testing.T) {
	o := Options{Results: t.TempDir(), Timeout: time.Minute, Args: []string{"-test.short"}}
	if r := o.kept("a/b"); r != nil {
		t.Fatalf("an empty folder has %+v", r)
	}
	good := outcomes("a/b", "TestA=pass", "TestB=skip=not here")
	good.Args, good.Elapsed = o.Args, time.Second
	if err := o.keep(good); err != nil {
		t.Fatal(err)
	}
	r := o.kept("a/b")
	if r == nil || !r.Kept || !maps.Equal(r.Outcome, good.Outcome) || !maps.Equal(r.Skipped, good.Skipped) || r.Elapsed != good.Elapsed {
		t.Errorf("kept %+v, got %+v", good, r)
	}
	other := o
	other.Args = nil
	if r := other.kept("a/b"); r != nil {
		t.Errorf("with other arguments: %+v", r)
	}
	other = o
	other.Linux = true
	if r := other.kept("a/b"); r != nil {
		t.Errorf("of the other system: %+v", r)
	}
	bad := outcomes("a/b", "TestA=fail")
	bad.Args, bad.ExitCode = o.Args, 1
	for _, o := range []Options{o, other} {
		if err := o.keep(bad); err != nil {
			t.Fatal(err)
		}
		if r := o.kept("a/b"); (r != nil) != o.Linux {
			t.Errorf("of tests that failed, Linux %v: %+v", o.Linux, r)
		}
	}
	bad.Console = "panic: test timed out after 1s\n"
	if err := other.keep(bad); err != nil {
		t.Fatal(err)
	}
	if r := other.kept("a/b"); r != nil {
		t.Errorf("of tests that took too long: %+v", r)
	}
	other.Kept = true
	if r := other.kept("a/b"); r == nil {
		t.Error("whatever is there counts, but does not")
	}
}
