package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestBenchParse(t *testing.T) {
	b := bench{runs: 2}
	b.nuos, b.linux = measurements{}, measurements{}
	for _, console := range []string{
		"nuos: booted\r\ngoos: linux\r\nBenchmarkCall-2\t1\t10 ns/op\r\nBenchmarkWake-2\t1\t3 p50-ns\t7.5 p99-ns\r\n",
		"BenchmarkCall-2\t1\t30 ns/op\r\nPASS\r\n",
	} {
		if err := b.parse(console, b.nuos); err != nil {
			t.Fatal(err)
		}
	}
	want := measurements{{"Call", "ns/op"}: {10, 30}, {"Wake", "p50-ns"}: {3}, {"Wake", "p99-ns"}: {7.5}}
	if !maps.EqualFunc(b.nuos, want, slices.Equal) {
		t.Errorf("got %v, want %v", b.nuos, want)
	}
	b.parse("BenchmarkCall-2 1 40 ns/op\n", b.linux)
	var out strings.Builder
	b.print(&out)
	if got := strings.Fields(strings.Split(out.String(), "\n")[3]); got[2] != "20.00" || got[len(got)-1] != "0.50" {
		t.Errorf("row of Call is %q", got)
	}
	for _, bad := range []string{"BenchmarkCall-2 1 fast ns/op", "BenchmarkCall-2 1 5 ns/op 7"} {
		if err := b.parse(bad, measurements{}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
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
