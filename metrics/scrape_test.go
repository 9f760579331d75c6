package metrics

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"nuos/boot/image"
	"nuos/migrate"
	"nuos/qemu"
)

const testMachines = 3

// families are the metrics of one machine at one moment, by name.
type families map[string]*dto.MetricFamily

// scrape asks a machine for its metrics, as Prometheus does.
func scrape(t *testing.T, address string) families {
	t.Helper()
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v:\n%s", resp.Status, err, body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	all, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, body)
	}
	problems, err := promlint.New(bytes.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "nuos_") { // Go's own have names that they will keep
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	return all
}

// series returns all series of a counter or gauge, or the counts of a histogram, by their labels.
func (f families) series(name string) map[string]float64 {
	all := map[string]float64{}
	for _, m := range f[name].GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetName()+"="+l.GetValue())
		}
		slices.Sort(labels)
		v := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		all[strings.Join(labels, ",")] = v
	}
	return all
}

// sum adds up the series whose labels contain a text.
func (f families) sum(name, labels string) (sum float64) {
	for l, v := range f.series(name) {
		if strings.Contains(l, labels) {
			sum += v
		}
	}
	return sum
}

// TestMachines scrapes the machines of a rack, processes and virtual ones, that compute
// while proclets move. What they say must be possible, agree with what was done, and
// answer every query of the dashboard.
func TestMachines(t *testing.T) {
	for name, o := range map[string]qemu.Options{"hosted": {Hosted: true}, "virtual": {}} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			r := start(t, ctx, o)
			before := scrapeAll(t, r)
			moved := shuffle(t, ctx, r, 20)
			after := scrapeAll(t, r)
			left, came, waited := 0.0, 0.0, 0.0
			for i := range after {
				checkMachine(t, before[i], after[i])
				left += after[i].sum("nuos_migrations_total", "direction=out")
				came += after[i].sum("nuos_migrations_total", "direction=in")
				waited += after[i].sum("nuos_migration_pause_seconds", "")
			}
			// The rack may have moved some by itself.
			if want := float64(moved); left < want || came < want || waited < want {
				t.Errorf("%v proclets left, %v came, callers waited for %v; %v were moved", left, came, waited, want)
			}
			checkPage(t, r.Listen()[0])
			for _, problem := range queriesWithout(after[0], !o.Hosted) {
				t.Error(problem)
			}
		})
	}
}

func start(t *testing.T, ctx context.Context, o qemu.Options) *qemu.Rack {
	o.Name, o.Dir, o.Machines = "metricstest", t.TempDir(), testMachines
	o.Params = []string{"points=3000", "clusters=16", "iterations=0", "seconds=3600"}
	for i := range testMachines {
		o.Forward = append(o.Forward, qemu.Forward{Listen: "127.0.0.1:0", Port: 9100, Only: []int{i}})
	}
	if o.Package = "../images/kmeans"; !o.Hosted {
		r, err := image.Build(ctx, image.Options{Package: o.Package, Output: filepath.Join(t.TempDir(), "kmeans.elf")})
		if err != nil {
			t.Fatal(err)
		}
		o.Package, o.Image = "", r.Path
	}
	r, err := qemu.Start(context.WithoutCancel(ctx), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, m := range r.Machines() {
				console := m.Console()
				t.Logf("machine %d:\n%s", m.Index(), console[max(0, len(console)-3000):])
			}
		}
		r.Stop()
	})
	if err := r.WaitPort(ctx, 9100); err != nil {
		t.Fatal(err)
	}
	return r
}

func scrapeAll(t *testing.T, r *qemu.Rack) (all []families) {
	for _, address := range r.Listen() {
		all = append(all, scrape(t, address))
	}
	return all
}

// shuffle moves proclets until so many moves were made, and returns how many were.
func shuffle(t *testing.T, ctx context.Context, r *qemu.Rack, moves int64) int64 {
	running, err := qemu.Attach(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	observer, err := running.Observe()
	if err != nil {
		t.Fatal(err)
	}
	defer observer.Close()
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	shuffling, stop := context.WithCancel(ctx)
	defer stop()
	var made atomic.Int64
	s := migrate.Shuffler{Rack: observer, Every: 5 * time.Millisecond, Seed: seed, Done: func(_ migrate.Report, err error) {
		if err == nil && made.Add(1) == moves {
			stop()
		}
	}}
	if err := s.Run(shuffling); err != nil || ctx.Err() != nil {
		t.Fatalf("%d moves, %v, %v", made.Load(), err, ctx.Err())
	}
	return made.Load()
}

// checkMachine checks what two scrapes of a machine must agree on.
func checkMachine(t *testing.T, before, after families) {
	t.Helper()
	for name, f := range after {
		if f.GetType() != dto.MetricType_COUNTER && f.GetType() != dto.MetricType_HISTOGRAM {
			continue
		}
		now := after.series(name)
		for labels, v := range before.series(name) {
			if n, ok := now[labels]; !ok || n < v {
				t.Errorf("%s{%s} was %v and is %v (there: %v)", name, labels, v, n, ok)
			}
		}
	}
	owners, size := after.sum("nuos_memory_bytes", ""), after.sum("nuos_memory_size_bytes", "")
	if owners != size || size == 0 {
		t.Errorf("the owners of memory have %v bytes of %v", owners, size)
	}
	for _, grown := range []string{"nuos_processor_seconds_total", "nuos_proclet_calls_total", "nuos_rack_calls_total", "nuos_nic_bytes_total", "nuos_call_duration_seconds"} {
		if b, a := before.sum(grown, ""), after.sum(grown, ""); a <= b {
			t.Errorf("%s was %v and is %v, while the machine worked", grown, b, a)
		}
	}
	if n := after.sum("nuos_rack_members", ""); n != testMachines {
		t.Errorf("%v members, want %d", n, testMachines)
	}
	if peers := len(after.series("nuos_rack_repeated_total")); peers != testMachines-1 {
		t.Errorf("%d peers, want %d", peers, testMachines-1)
	}
	for _, m := range slices.Concat(after["nuos_migration_pause_seconds"].GetMetric(), after["nuos_migration_phase_seconds"].GetMetric(), after["nuos_call_duration_seconds"].GetMetric()) {
		checkHistogram(t, m.GetHistogram())
	}
}

// checkHistogram: buckets in order, the last one with everything, a sum that fits.
func checkHistogram(t *testing.T, h *dto.Histogram) {
	t.Helper()
	least, below := 0.0, uint64(0)
	end := 0.0
	for _, b := range h.GetBucket() {
		if b.GetUpperBound() <= end || b.GetCumulativeCount() < below {
			t.Errorf("bucket to %v has %d, after one to %v with %d", b.GetUpperBound(), b.GetCumulativeCount(), end, below)
		}
		least += float64(b.GetCumulativeCount()-below) * end
		end, below = b.GetUpperBound(), b.GetCumulativeCount()
	}
	if below != h.GetSampleCount() || h.GetSampleSum() < least || below > 0 && h.GetSampleSum() == 0 {
		t.Errorf("%d of %d in buckets, the sum is %v, at least %v", below, h.GetSampleCount(), h.GetSampleSum(), least)
	}
}

// checkPage looks at the page of the rack.
func checkPage(t *testing.T, address string) {
	t.Helper()
	resp, err := http.Get("http://" + address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if want := fmt.Sprintf("%d of %d machines answer", testMachines, testMachines); err != nil || !bytes.Contains(body, []byte(want)) || !bytes.Contains(body, []byte("main.Worker")) {
		t.Errorf("%s, %v: want that %s, and the workers, in:\n%s", resp.Status, err, want, body)
	}
}

// names lists the metrics that there are, with the series of histograms.
func (f families) names() map[string]bool {
	all := map[string]bool{}
	for name := range maps.Keys(f) {
		all[name] = true
		if f[name].GetType() == dto.MetricType_HISTOGRAM {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				all[fmt.Sprint(name, suffix)] = true
			}
		}
	}
	return all
}
