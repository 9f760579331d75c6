package main

import (
	"encoding/xml"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nuos/images/kv/load"
)

// kvRun is a run whose requests take a millisecond, but for a time of stress in which they take longer.
func kvRun(slow time.Duration, from, to time.Duration) *run {
	r := &run{scenario: scenario{name: "x", title: "X", phase: 2 * time.Second}, variant: "moving", rate: 1000, unit: "requests", began: time.Now()}
	random := rand.New(rand.NewPCG(1, 0))
	for at := time.Duration(0); at < 3*r.scenario.phase; at += time.Millisecond {
		took := time.Millisecond + time.Duration(random.IntN(100))*time.Microsecond
		if at >= from && at < to {
			took += slow
		}
		r.answers = append(r.answers, load.Answer{Due: r.began.Add(at), Took: took})
	}
	r.windows = windowsOf(r.began, r.answers)
	return r
}

// TestFigures has a rack disturbed for 300 ms.
func TestFigures(t *testing.T) {
	f := kvRun(20*time.Millisecond, 2500*time.Millisecond, 2800*time.Millisecond).figures()
	if f.throughput[before] < 999 || f.throughput[during] > 1001 {
		t.Errorf("throughput %v; want 1000", f.throughput)
	}
	if f.p50[during] > 2*time.Millisecond || f.p99[during] < 20*time.Millisecond || f.p99[before] > 2*time.Millisecond || f.worst[during] < 20*time.Millisecond {
		t.Errorf("p50 %v, p99 %v, worst %v", f.p50, f.p99, f.worst)
	}
	if f.disturbed < 290*time.Millisecond || f.disturbed > 400*time.Millisecond {
		t.Errorf("disturbed for %v; want 300ms", f.disturbed)
	}
	if f := kvRun(0, 0, 0).figures(); f.disturbed != 0 {
		t.Errorf("a calm run is disturbed for %v", f.disturbed)
	}
}

// TestVerdict reads good and bad news.
func TestVerdict(t *testing.T) {
	roomy := kvRun(0, 0, 0)
	roomy.variant = "roomy"
	good := outcome{scenario: roomy.scenario, runs: []*run{kvRun(2*time.Millisecond, 2*time.Second, 2200*time.Millisecond), roomy}}
	if v := good.verdict(); strings.Contains(v, "not reached") || strings.Count(v, "reached") != 3 {
		t.Error(v)
	}
	bad := outcome{scenario: roomy.scenario, runs: []*run{kvRun(200*time.Millisecond, 2*time.Second, 3*time.Second), roomy}}
	bad.runs[0].failures, bad.runs[0].first = 1, []string{"GET x: broken"}
	if v := bad.verdict(); strings.Count(v, "not reached") != 3 {
		t.Error(v)
	}
	if text := bad.table(); !strings.Contains(text, "| moving | 1000 |") || !strings.Contains(text, "GET x: broken") {
		t.Error(text)
	}
}

// TestChart draws latencies, and throughput.
func TestChart(t *testing.T) {
	batch := kvRun(0, 0, 0)
	batch.rate = 0
	for _, r := range []*run{kvRun(time.Second, time.Second, 2*time.Second), batch} {
		o := outcome{scenario: r.scenario, runs: []*run{r}}
		d := xml.NewDecoder(strings.NewReader(o.chart()))
		lines := 0
		for {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
				lines++
				if n := len(strings.Fields(e.Attr[0].Value)); n != len(r.windows) {
					t.Errorf("%d points for %d windows", n, len(r.windows))
				}
			}
		}
		if lines != 1 {
			t.Errorf("%d lines", lines)
		}
	}
}

// TestScenarios looks at what the variants of all scenarios do.
func TestScenarios(t *testing.T) {
	names := map[string]bool{}
	for _, s := range scenarios() {
		if names[s.name] {
			t.Errorf("two scenarios are called %s", s.name)
		}
		names[s.name] = true
		params := len(s.options.Params)
		for _, v := range variants {
			x, err := s.of(v)
			if err != nil {
				t.Fatal(err)
			}
			if taken := x.order.Rate > 0 || x.order.Cores > 0; taken == (v == "calm") {
				t.Errorf("%s, %s: %+v is taken", s.name, v, x.order)
			}
			if roomy := x.clear || x.options.Memory > s.options.Memory; roomy != (v == "roomy") {
				t.Errorf("%s, %s: %d MiB, cleared: %v", s.name, v, x.options.Memory, x.clear)
			}
		}
		if len(s.options.Params) != params {
			t.Errorf("%s: a variant has changed the parameters", s.name)
		}
		if _, err := s.of("other"); err == nil {
			t.Error("a variant that there is not")
		}
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.md")
	if err := os.WriteFile(path, []byte("a\n"+firstMark+"old\n"+lastMark+"\nb\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := replace(path, "new\n"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if want := "a\n" + firstMark + "\nnew\n\n" + lastMark + "\nb\n"; err != nil || string(b) != want {
		t.Errorf("%q, %v; want %q", b, err, want)
	}
	if err := replace(filepath.Join(filepath.Dir(path), "none"), ""); err == nil {
		t.Error("a file that there is not was replaced")
	}
}
