package main

import (
	"errors"
	"strings"
	"testing"
)

func TestBenchPrint(t *testing.T) {
	b := bench{runs: 2}
	if err := errors.Join(b.nuos.Parse("BenchmarkCall-2 1 10 ns/op\nBenchmarkCall-2 1 30 ns/op\n"), b.linux.Parse("BenchmarkCall-2 1 40 ns/op\n")); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	b.print(&out)
	if got := strings.Fields(strings.Split(out.String(), "\n")[3]); got[2] != "20.00" || got[len(got)-1] != "0.50" {
		t.Errorf("row of Call is %q", got)
	}
}

func TestFirstLine(t *testing.T) {
	for _, test := range []struct {
		chunks []string
		found  bool
	}{
		{[]string{"nuos: booted\r\n", "goo", "s: linux\r\n"}, true},
		{[]string{"goos: linux"}, true},
		{[]string{"cargoos: 7\n"}, false},
	} {
		var f firstLine
		for _, c := range test.chunks {
			f.Write([]byte(c))
		}
		if got := f.took != 0; got != test.found {
			t.Errorf("%q: found is %v", test.chunks, got)
		}
	}
}
