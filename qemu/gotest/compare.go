package gotest

import (
	"slices"
	"strings"
)

// Comparison is how the tests of one package went in an image, of those that passed in
// the Linux guest. Tests are counted without their subtests: one whose subtest did not
// pass here did not pass.
type Comparison struct {
	Passed   []string          // here, too
	Excepted map[string]string // those that did not, with their reasons
	Differ   []string          // those that have no reason
}

// Ran is how many tests passed in the Linux guest.
func (c *Comparison) Ran() int { return len(c.Passed) + len(c.Excepted) + len(c.Differ) }

// Compare compares two results of the same package.
func Compare(here, there *Result) *Comparison {
	c := &Comparison{Excepted: map[string]string{}}
	for _, name := range there.Order {
		if strings.Contains(name, "/") || there.Outcome[name] != "pass" {
			continue
		}
		reason, passed := "", true
		for _, inner := range there.Order {
			if inner != name && !strings.HasPrefix(inner, name+"/") || there.Outcome[inner] != "pass" {
				continue
			}
			why, ok := here.excuse(inner)
			if ok {
				continue
			}
			if passed || why == "" {
				reason = why
			}
			passed = false
			if why == "" {
				break
			}
		}
		switch {
		case passed:
			c.Passed = append(c.Passed, name)
		case reason != "":
			c.Excepted[name] = reason
		default:
			c.Differ = append(c.Differ, name)
		}
	}
	slices.Sort(c.Differ)
	return c
}

// excuse reports whether a test that passes in the Linux guest passes here and, if it
// does not, the reason that is known. Subtests may have other names in every run.
func (r *Result) excuse(name string) (reason string, passed bool) {
	outcome, began := r.Outcome[name]
	if outcome == "pass" || !began && strings.Contains(name, "/") {
		return "", true
	}
	if x, known := exceptions().find(r.Package, name); known {
		return x.reason, false
	}
	if outcome == "skip" {
		return exceptions().skip(r.Skipped[name]), false
	}
	if began && outcome == "fail" {
		return r.inner(name), false
	}
	return "", false
}

// inner returns the reason for a test that failed because of its subtests, if all of them
// are exceptions.
func (r *Result) inner(name string) (reason string) {
	for _, failed := range r.Failed() {
		if !strings.HasPrefix(failed, name+"/") {
			continue
		}
		x, known := exceptions().find(r.Package, failed)
		if !known {
			return ""
		}
		reason = x.reason
	}
	return reason
}
