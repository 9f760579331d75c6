package boot

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// withLine gives the process another command line for one test.
func withLine(t *testing.T, words ...string) {
	old := os.Args
	os.Args = append([]string{"program"}, words...)
	reportOnce = sync.Once{}
	t.Cleanup(func() { os.Args = old; reportOnce = sync.Once{} })
}

// withParam declares a parameter for one test.
func withParam(t *testing.T, name, def string) *Param {
	p := NewParam(name, def, "for a test")
	t.Cleanup(func() { delete(params, name) })
	return p
}

func TestParam(t *testing.T) {
	p := withParam(t, "colour", "red")
	for _, c := range []struct {
		words []string
		want  string
		found bool
	}{
		{nil, "red", false},
		{[]string{"colour=blue"}, "blue", true},
		{[]string{"colour=blue", "colour=a=b"}, "a=b", true},
		{[]string{"colour"}, "", true},
		{[]string{"colours=blue", "xcolour=1"}, "red", false},
		{[]string{"--", "colour=blue"}, "red", false},
		{[]string{"?colour=blue"}, "blue", true},
		{[]string{"?colour=blue", "colour=green"}, "green", true},
	} {
		withLine(t, c.words...)
		if got := p.Value(); got != c.want {
			t.Errorf("%q: Value() = %q, want %q", c.words, got, c.want)
		}
		if _, found := p.Lookup(); found != c.found {
			t.Errorf("%q: found %v, want %v", c.words, found, c.found)
		}
	}
}

func TestReportUnknown(t *testing.T) {
	withParam(t, "known", "")
	withLine(t, "known=1", "GOGC=50", "-flag", "knwon=2", "?hint=1", "other", "--", "argument")
	var out strings.Builder
	ReportUnknown(&out)
	ReportUnknown(&out) // says nothing twice
	want := "nuos: unknown boot parameter \"knwon\" ignored\nnuos: unknown boot parameter \"other\" ignored\n"
	if got := out.String(); got != want {
		t.Errorf("ReportUnknown wrote %q, want %q", got, want)
	}
}

func TestParams(t *testing.T) {
	b, a := withParam(t, "b", ""), withParam(t, "a", "")
	got := slices.DeleteFunc(Params(), func(p *Param) bool { return p != a && p != b }) // other packages have some, too
	if !slices.Equal(got, []*Param{a, b}) {
		t.Errorf("Params() = %v, want a, b", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a parameter was declared twice")
		}
	}()
	NewParam("a", "", "")
}
