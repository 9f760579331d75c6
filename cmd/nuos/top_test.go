package main

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"nuos/migrate"
	"nuos/migrate/watch"
	"nuos/mm"
	"nuos/proclet"
	"nuos/qemu"
	"nuos/rack"
)

// topMoment returns what three machines say n seconds after they have started. The third does
// not answer.
func topMoment(n uint64) watch.Sample {
	s := watch.Sample{At: time.Date(2030, 1, 2, 3, 4, 5+int(n), 0, time.UTC)}
	for i := range uint64(3) {
		m := watch.Machine{Directory: i == 0, Member: rack.Member{ID: rack.MachineID(i + 1), IP: netip.AddrFrom4([4]byte{10, 77, 0, 10 + byte(i)}), Draining: i == 1}}
		if i == 2 {
			m.Err = errors.New("it is silent")
			s.Machines = append(s.Machines, m)
			continue
		}
		o := migrate.Overview{
			Rack: "test", Machine: m.Member.ID, Uptime: time.Duration(n) * time.Second, Processors: 2,
			Worked: time.Duration(n*(i+1)) * 950 * time.Millisecond,
			Frames: mm.Usage{Total: 65536, Free: 65536 * (1 + 8*(1-i)) / 10}, Proclets: 3, Mapped: 5 << 20,
			Calls: 1000 * n * (1 + 40*i), Made: 3 * n, Arrived: 2 * n, Sent: n << 20, GivenUp: 1,
			Top: []proclet.Info{
				{ID: "5000000.1", Type: "main.Shard", Mapped: 4 << 20, Used: 3 << 20, Calls: 500 * n, Moves: 7, Processors: .25, Callers: []proclet.Caller{{Machine: 2, Share: .75}, {Machine: 1, Share: .25}}},
				{ID: "5000000.2", Type: "main.Small", Mapped: 64 << 10, Used: 1 << 10, Calls: 9, Processors: .5, Pinned: true},
			},
		}
		if i == 1 {
			o.Short.Memory, o.Lost = true, 1
			o.Top = o.Top[:1]
			o.Top[0].ID, o.Top[0].Type, o.Top[0].Processors, o.Top[0].Calls = "6000000.3", "main.Busy", 1.5, 250000*n
		}
		o.Latencies.Buckets[20] = 90 * n
		o.Latencies.Buckets[40] = 10 * n
		m.Overview = o
		s.Machines = append(s.Machines, m)
	}
	return s
}

const topGolden = `
nuos test  2 of 3 machines answer  6 proclets, by load  03:04:09
42.0k calls/s  remote p50 33µs  p99 1ms  6.0 moves/s  2.0 MiB/s  2 given up  1 lost

MACHINE  ADDRESS     MEMORY           OF         PROCESSORS        OF  PROCLETS  HEAPS    CALLS/S  P50   P99  OUT/S  IN/S  PRESSURE  ROLE
1        10.77.0.10  #.........  10%  256.0 MiB  #####.....  0.95  2   3         5.0 MiB  1000     33µs  1ms  3.0    2.0   -         directory
2        10.77.0.11  #########.  90%  256.0 MiB  ##########  1.90  2   3         5.0 MiB  41.0k    33µs  1ms  3.0    2.0   memory    draining
3        10.77.0.12                                                                                                                  it is silent

PROCLET    MACHINE   TYPE        PROCESSORS  MEMORY    USED     CALLS/S  MOVES  CALLED BY
6000000.3  2         main.Busy   1.50        4.0 MiB   3.0 MiB  250.0k   7      2: 75%, 1: 25%
5000000.2  1 pinned  main.Small  0.50        64.0 KiB  1.0 KiB  0        0
5000000.1  1         main.Shard  0.25        4.0 MiB   3.0 MiB  500      7      2: 75%, 1: 25%`

// TestTopView compares what is shown of two samples, in a terminal without colours.
func TestTopView(t *testing.T) {
	var out bytes.Buffer
	moments := []watch.Sample{topMoment(2), topMoment(4)}
	source := func(context.Context, migrate.By) watch.Sample {
		s := moments[0]
		moments = moments[1:]
		return s
	}
	if err := topOnce(t.Context(), &out, source, time.Nanosecond, migrate.ByLoad); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(out.String()), strings.TrimSpace(topGolden); got != want {
		t.Errorf("top shows\n%s\nwant\n%s", got, want)
	}
}

// TestTopModel sends the live view what a terminal and the machines would.
func TestTopModel(t *testing.T) {
	asked := migrate.By("")
	m := &topModel{ctx: t.Context(), interval: time.Nanosecond, by: migrate.ByLoad, source: func(_ context.Context, by migrate.By) watch.Sample {
		asked = by
		return topMoment(4)
	}}
	update := func(msg tea.Msg) tea.Cmd {
		next, cmd := m.Update(msg)
		if next != tea.Model(m) {
			t.Fatalf("Update returned %v", next)
		}
		return cmd
	}
	if m.View() == "" || m.Init() == nil {
		t.Error("there is nothing before the first sample")
	}
	update(tea.WindowSizeMsg{Width: 40, Height: 6})
	update(topMoment(2))
	lines := strings.Split(m.View(), "\n")
	if len(lines) != 6 {
		t.Errorf("%d lines in a terminal of 6", len(lines))
	}
	for _, l := range lines {
		if len([]rune(l)) > 40 {
			t.Errorf("%q does not fit into 40 columns", l)
		}
	}
	update(tea.WindowSizeMsg{Width: 300, Height: 50})
	if !regexp.MustCompile(`(?m)^1 .* 3 +5\.0 MiB +- +- +- +- +- +-`).MatchString(m.View()) {
		t.Errorf("rates are known after one sample:\n%s", m.View())
	}

	// A look is a sample, after which it is waited for the next look.
	cmd := update(topLook{})
	cmd = update(cmd())
	if _, ok := cmd().(topLook); !ok || asked != migrate.ByLoad {
		t.Errorf("after a sample by %q comes no look", asked)
	}
	if got := m.View(); got != strings.TrimSpace(topGolden) {
		t.Errorf("the second sample shows\n%s", got)
	}

	first := func() string {
		_, proclets, _ := strings.Cut(m.View(), "CALLED BY\n")
		return proclets[:9]
	}
	for key, want := range map[string]string{"m": "5000000.1", "c": "6000000.3", "l": "6000000.3"} {
		update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(key)})
		if got := first(); got != want {
			t.Errorf("after %s the first is %s, want %s", key, got, want)
		}
	}
	update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("m")})
	if m.look(); asked != migrate.ByMemory {
		t.Errorf("the machines are asked for proclets by %s, want memory", asked)
	}
	for _, key := range []tea.KeyMsg{{Type: tea.KeyRunes, Runes: []rune("q")}, {Type: tea.KeyCtrlC}, {Type: tea.KeyEsc}} {
		if cmd := update(key); cmd == nil || cmd() != tea.Quit() {
			t.Errorf("%s does not end it", key)
		}
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{-1: "-", 0: "0", .04: "0.0", 9.94: "9.9", 10: "10", 9999: "9999", 12345: "12.3k", 2.5e6: "2.5M"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "-", 1234: "1.2µs", 12345: "12µs", 1234567: "1.2ms", 12345678: "12ms", 12345678901: "12s"} {
		if got := duration(d); got != want {
			t.Errorf("duration(%d) = %s, want %s", d, got, want)
		}
	}
}

// TestTopOnce asks a rack that runs.
func TestTopOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, err := qemu.Start(context.WithoutCancel(ctx), qemu.Options{
		Name: "toptest", Dir: t.TempDir(), Hosted: true, Machines: 2, Package: "../../images/kmeans",
		Params: []string{"points=3000", "clusters=16", "iterations=0", "seconds=3600"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	running, err := qemu.Attach(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	observer, err := running.Observe()
	if err != nil {
		t.Fatal(err)
	}
	defer observer.Close()
	source := topOf(observer)
	want := []*regexp.Regexp{
		regexp.MustCompile(`(?m)^nuos toptest  2 of 2 machines answer  [1-9]\d* proclets, by calls`),
		regexp.MustCompile(`(?m)^[1-9][0-9.kM]* calls/s  remote p50 [0-9.]+[µm]?s  p99`),
		regexp.MustCompile(`(?m)^1 +10\.77\.0\.1\d +[#.]{10} +\d+% +512\.0 MiB +[#.]{10} +\d\.\d\d +\d+ +\d+ .* directory`),
		regexp.MustCompile(`(?m)^\d+\.\d+ +[12] +main\.Worker +\d`),
		regexp.MustCompile(`(?m)^\d+\.\d+ +[12] +dist\.vectorShard.* [1-9][0-9.kM]* +0`),
	}
	for {
		var out bytes.Buffer
		if err := topOnce(ctx, &out, source, 300*time.Millisecond, migrate.ByCalls); err != nil {
			t.Fatalf("%v, after:\n%s", err, out.String())
		}
		missing := 0
		for _, w := range want {
			if !w.Match(out.Bytes()) {
				missing++
				if ctx.Err() != nil {
					t.Errorf("no %v", w)
				}
			}
		}
		if missing == 0 {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("in:\n%s", out.String())
		}
	}
}
