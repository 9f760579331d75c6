package samples

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	var s Set
	for _, text := range []string{
		"nuos: booted\r\ngoos: linux\r\nBenchmarkCall-2\t1\t10 ns/op\r\nBenchmarkWake/by=grpc-tcp-2\t1\t3 p50-ns\t7.5 p99-ns\r\n",
		"BenchmarkCall-2\t1\t30 ns/op\r\nPASS\r\n",
	} {
		if err := s.Parse(text); err != nil {
			t.Fatal(err)
		}
	}
	want := []struct {
		figure Figure
		values []float64
		median float64
	}{
		{Figure{"Call", "ns/op"}, []float64{10, 30}, 20},
		{Figure{"Wake/by=grpc-tcp", "p50-ns"}, []float64{3}, 3},
		{Figure{"Wake/by=grpc-tcp", "p99-ns"}, []float64{7.5}, 7.5},
	}
	for i, w := range want {
		if got := s.Figures(); len(got) != len(want) || got[i] != w.figure {
			t.Errorf("figures %v", got)
		}
		if got := s.Values(w.figure); !slices.Equal(got, w.values) {
			t.Errorf("%v: %v, want %v", w.figure, got, w.values)
		}
		if got := s.Median(w.figure); got != w.median {
			t.Errorf("%v: median %v, want %v", w.figure, got, w.median)
		}
	}
	if got := s.Median(Figure{"Call", "p50-ns"}); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %v", got)
	}
	for _, bad := range []string{"BenchmarkCall-2 1 fast ns/op", "BenchmarkCall-2 1 5 ns/op 7"} {
		if err := new(Set).Parse(bad); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
