package main

import (
	"encoding/json"
	"encoding/xml"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// measured is a bench that has these results.
func measured(t *testing.T, text string) *bench {
	t.Helper()
	b := &bench{rounds: 1}
	if err := b.add(text); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVerdicts: ours is compared as the bound says, from both sides of it.
func TestVerdicts(t *testing.T) {
	ours, other := figure("ns/op", "Ours"), figure("ns/op", "Other")
	tests := []struct {
		target target
		ours   string
		want   string
		ratio  string
	}{
		{target{than: "it", factor: 2, plus: 10}, "210", "reached", "2.10x"},
		{target{than: "it", factor: 2, plus: 10}, "211", "not reached", "2.11x"},
		{target{than: "it", factor: 1. / 40}, "2.5", "reached", "40.0x faster"},
		{target{than: "it", factor: 1. / 40}, "2.6", "not reached", "38.5x faster"},
		{target{than: "it", factor: 20, more: true}, "2000", "reached", "20.00x"},
		{target{than: "it", factor: 20, more: true}, "1999", "not reached", "19.99x"},
		{target{plus: 2e6}, "2000000", "reached", "-"},
		{target{plus: 2e6}, "2000001", "not reached", "-"},
	}
	for _, test := range tests {
		b := measured(t, "BenchmarkOurs 1 "+test.ours+" ns/op\nBenchmarkOther 1 100 ns/op\n")
		test.target.ours, test.target.other = ours, other
		if got := test.target.verdict(&b.samples); got != test.want {
			t.Errorf("%s, %s: %s, want %s", test.ours, test.target.wanted(), got, test.want)
		}
		if got := test.target.ratio(&b.samples); got != test.ratio {
			t.Errorf("%s, %s: ratio %s, want %s", test.ours, test.target.wanted(), got, test.ratio)
		}
		if got := test.target.verdict(&measured(t, "BenchmarkOther 1 100 ns/op\n").samples); got != "not measured" {
			t.Errorf("without ours: %s", got)
		}
	}
}

func TestUnits(t *testing.T) {
	for ns, want := range map[float64]string{27: "27 ns", 999.4: "999 ns", 999.6: "1 µs", 25e3: "25 µs", 999.6e3: "1 ms", 2.5e9: "2.5 s", math.NaN(): "-"} {
		if got := duration(ns); got != want {
			t.Errorf("%v ns: %q, want %q", ns, got, want)
		}
	}
	for n, want := range map[float64]string{12: "12", 22_000: "22 k", 1.5e6: "1.5 M"} {
		if got := number(n); got != want {
			t.Errorf("%v: %q, want %q", n, got, want)
		}
	}
}

// TestWritten: JSON and chart can be read, whatever is missing, and all that was measured is in them.
func TestWritten(t *testing.T) {
	for _, text := range []string{"", "BenchmarkRemoteCall/bytes=8 1 2000 p50-ns\nBenchmarkPeerCall/peer=grpc-tcp/bytes=8 1 164000 p50-ns\n"} {
		b := measured(t, text)
		b.leftOut = []omission{{"criu", `it says "<no>"`}}
		m := where{CPU: "a <fast> one", Kernel: "6 & more"}
		encoded, err := b.encode(m)
		if err != nil {
			t.Fatal(err)
		}
		var back struct{ Results []struct{ Name string } }
		if err := json.Unmarshal([]byte(encoded), &back); err != nil || len(back.Results) != strings.Count(text, "\n") {
			t.Errorf("%d results of %q, %v", len(back.Results), text, err)
		}
		chart, err := b.chart(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal([]byte(chart), new(struct{})); err != nil {
			t.Errorf("the chart of %q: %v\n%s", text, err, chart)
		}
		if tables := b.tables(m); text != "" && (!strings.Contains(tables, "82.0x faster") || !strings.Contains(tables, "criu is left out")) {
			t.Errorf("tables without what was measured:\n%s", tables)
		}
	}
}

func TestReplaceTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.md")
	for _, test := range []struct{ before, after string }{
		{"one\n" + tablesBegin + "old\n" + tablesEnd + "two\n", "one\n" + tablesBegin + "\nnew\n" + tablesEnd + "two\n"},
		{"one\n" + tablesBegin + "old\n", ""},
		{"one\n", ""},
	} {
		if err := os.WriteFile(path, []byte(test.before), 0o666); err != nil {
			t.Fatal(err)
		}
		err := replaceTables(path, "new\n")
		got, _ := os.ReadFile(path)
		if want := test.after; want == "" && (err == nil || string(got) != test.before) || want != "" && string(got) != want {
			t.Errorf("%q became %q, %v", test.before, got, err)
		}
	}
}
