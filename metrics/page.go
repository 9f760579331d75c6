package metrics

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"sync"
	"time"

	"nuos/migrate"
	"nuos/migrate/watch"
	"nuos/mm"
	"nuos/rack"
)

const (
	// pageEvery is how often the machines are asked, however many browsers look.
	pageEvery = time.Second
	// pageBound is how long they may take to answer.
	pageBound = 3 * time.Second
	// pageProclets is how many proclets are shown.
	pageProclets = 40
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"bytes": bytesText, "rate": rateText, "percent": percentText, "pages": func(frames uint64) string { return bytesText(float64(frames * mm.PageSize)) },
	"quantile": func(l rack.Latencies, q float64) string { return durationText(l.Quantile(q)) },
	"part":     func(part float64, of int) float64 { return part / float64(max(of, 1)) }, "number": func(v uint64) float64 { return float64(v) },
}).Parse(pageText))

// page is the overview of the rack for browsers. It remembers what the machines have said
// last, and before.
type page struct {
	ask func(ctx context.Context) watch.Sample

	mu           sync.Mutex
	before, last watch.Sample
}

func newPage(r *rack.Rack) *page {
	return &page{ask: func(ctx context.Context) watch.Sample { return watch.Ask(ctx, r, pageProclets, migrate.ByLoad) }}
}

// rates returns what happens. Who asks often gets the same answer.
func (p *page) rates(ctx context.Context) *watch.Rates {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.last.At) >= pageEvery {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pageBound) // the answer is for others, too
		defer cancel()
		p.before, p.last = p.last, p.ask(ctx)
	}
	r := watch.Between(p.before, p.last, migrate.ByLoad)
	r.Proclets = r.Proclets[:min(len(r.Proclets), pageProclets)]
	return r
}

func (p *page) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, p.rates(q.Context())); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(text.Bytes())
}

// bytesText writes bytes for people.
func bytesText(n float64) string {
	for _, unit := range []struct {
		name  string
		bytes float64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= unit.bytes {
			return fmt.Sprintf("%.1f %s", n/unit.bytes, unit.name)
		}
	}
	return fmt.Sprintf("%.0f B", n)
}

// rateText writes a rate, or that it is not known.
func rateText(v float64) string {
	switch {
	case v < 0:
		return "–"
	case v < 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

func percentText(share float64) string {
	if share < 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}

// durationText writes a latency, or that there was none.
func durationText(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d < time.Millisecond:
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	}
	return fmt.Sprintf("%.1f ms", float64(d)/1e6)
}
