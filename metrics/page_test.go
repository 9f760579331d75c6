package metrics

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"nuos/migrate"
	"nuos/migrate/watch"
	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
)

// TestPage asks for the page of a rack of three machines, of which one does not answer, before
// anything is known of rates, at once again, and later.
func TestPage(t *testing.T) {
	asked := 0
	now := time.Now()
	p := &page{ask: func(context.Context) watch.Sample {
		asked++
		n := uint64(asked)
		s := watch.Sample{At: now.Add(-time.Hour + time.Duration(asked)*time.Second)}
		if asked == 3 { // is new for as long as the test takes
			s.At = now.Add(time.Hour)
		}
		for i := range uint64(2) {
			s.Machines = append(s.Machines, watch.Machine{
				Member: rack.Member{ID: rack.MachineID(i + 1), IP: netip.MustParseAddr("10.0.0.1")}, Directory: i == 0,
				Overview: migrate.Overview{
					Rack: "<test>", Uptime: time.Duration(n) * time.Second, Processors: 4, Worked: time.Duration(n) * time.Second,
					Frames: mm.Usage{Total: 1000, Free: 250}, Proclets: 1, Calls: 500 * n, Made: 3 * n, Short: migrate.Shortage{Memory: i == 1},
					Top: []proclet.Info{{ID: "5000." + string(rune('1'+i)), Type: "main.Shard[<x>]", Mapped: 3 << 20, Calls: 70 * n}},
				},
			})
		}
		s.Machines = append(s.Machines, watch.Machine{Member: rack.Member{ID: 3}, Err: errors.New("it is <silent>")})
		return s
	}}
	get := func() string {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("status %d, %v", w.Code, w.Header())
		}
		return w.Body.String()
	}
	wants := func(page string, all ...string) {
		t.Helper()
		for _, want := range all {
			if !regexp.MustCompile(want).MatchString(page) {
				t.Errorf("no %s in:\n%s", want, page)
			}
		}
	}
	first := get()
	wants(first, `<h1>&lt;test&gt;</h1>`, `2 of 3 machines answer, 2 proclets`, `<td>75 %<td>3\.9 MiB<td>`, `>–<td>4<td>1<td>`,
		`it is &lt;silent&gt;`, `main\.Shard\[&lt;x&gt;\]`, `<td>3\.0 MiB<td>0 B<td>–<td>0`, `error">memory<`, `directory`)
	second := get()
	wants(second, `1000 calls a second`, `6\.0 moves a second`, `<td>25 %<td>4<td>1<td>0 B<td>500<td>–<td>–<td>3\.0<td>0\.0`, `<td>0 B<td>70<td>0`)
	get()
	again := get()
	if asked != 3 {
		t.Errorf("the machines were asked %d times, want 3: what is known was new", asked)
	}
	wants(again, `1000 calls a second`)
	if strings.Contains(first+second+again, "ZgotmplZ") {
		t.Error("the template has escaped something away")
	}
}
