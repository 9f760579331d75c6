package main

import (
	"fmt"
	"math"
	"os"
	"strings"

	"nuos/internal/samples"
)

// Tables are Markdown, to be pasted or to be read as they are.

// tables are all of them, under a line that says where and when.
func (b *bench) tables(m where) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s, %d processors, Linux %s, %s; commit %s, %s. Our machines: %s. Load average before: %s. Medians of rounds: %d.\n\n",
		m.CPU, m.Processors, m.Kernel, m.Go, m.Commit, b.started.UTC().Format("2006-01-02"), b.params, m.Load, b.rounds)
	b.targetTable(&w)
	b.callTable(&w)
	b.moveTable(&w)
	b.otherTable(&w)
	for _, o := range b.leftOut {
		fmt.Fprintf(&w, "%s is left out: %s\n\n", o.Name, o.Why)
	}
	return w.String()
}

// table writes aligned columns, so that the text can be read, too.
func table(w *strings.Builder, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	line := func(r []string) {
		for i, cell := range r {
			fmt.Fprintf(w, "| %s%s ", cell, strings.Repeat(" ", width[i]-len([]rune(cell))))
		}
		w.WriteString("|\n")
	}
	line(rows[0])
	for _, n := range width {
		w.WriteString("|" + strings.Repeat("-", n+2))
	}
	w.WriteString("|\n")
	for _, r := range rows[1:] {
		line(r)
	}
	w.WriteString("\n")
}

// targetTable is what is wanted, and whether it is reached. Nu's model has no factor: it is beaten or not.
func (b *bench) targetTable(w *strings.Builder) {
	rows := [][]string{{"what", "nuos", "beside", "its figure", "ratio", "wanted", "verdict"}}
	s := &b.samples
	for _, t := range targets {
		rows = append(rows, []string{t.what, value(s, t.ours), t.than, value(s, t.other), t.ratio(s), t.wanted(), t.verdict(s)})
	}
	for _, bytes := range []int{64 << 10, mib, 16 * mib} {
		ours, floor := s.Median(movedIdle("ns/op", bytes)), s.Median(movedIdle("memcpy-ns/op", bytes))
		verdict, ratio := "not measured", "-"
		if ours > 0 { // not NaN
			ratio = fmt.Sprintf("%.2fx", ours/model(bytes))
		}
		switch {
		case ours <= model(bytes):
			verdict = "reached"
		case floor > model(bytes):
			verdict = "memcpy alone takes " + duration(floor)
		case ours > model(bytes):
			verdict = "not reached"
		}
		rows = append(rows, []string{"move of " + size(bytes), duration(ours), "Nu's model", duration(model(bytes)), ratio, "less, if memcpy allows", verdict})
	}
	table(w, rows)
}

// callTable is who makes calls, and how quickly.
func (b *bench) callTable(w *strings.Builder) {
	rows := [][]string{{"call", "8 B p50", "p99", "p99.9", "1 KiB p50", "64 KiB p50", "calls/s of 1", "of 8", "of 64"}}
	row := func(name, one, many string) {
		cell := func(unit, benchmark string) string { return value(&b.samples, figure(unit, "%s", benchmark)) }
		rows = append(rows, []string{name,
			cell("p50-ns", one+"bytes=8"), cell("p99-ns", one+"bytes=8"), cell("p999-ns", one+"bytes=8"),
			cell("p50-ns", one+"bytes=1024"), cell("p50-ns", one+"bytes=65536"),
			cell("calls/s", many+"callers=1"), cell("calls/s", many+"callers=8"), cell("calls/s", many+"callers=64")})
	}
	row("nuos, same machine", "LocalCall/", "LocalCalls/")
	row("nuos, other machine", "RemoteCall/", "RemoteCalls/")
	for _, p := range []struct{ name, peer string }{
		{"TCP, no library", "tcp"}, {"net/rpc, unix socket", "netrpc-unix"}, {"net/rpc, TCP", "netrpc-tcp"},
		{"gRPC-Go, unix socket", "grpc-unix"}, {"gRPC-Go, TCP", "grpc-tcp"},
	} {
		row(p.name, "PeerCall/peer="+p.peer+"/", "PeerCalls/peer="+p.peer+"/")
	}
	table(w, rows)
}

var moveSizes = []int{64 << 10, mib, 16 * mib, 64 * mib}

// moveTable is who moves so many bytes, and how quickly.
func (b *bench) moveTable(w *strings.Builder) {
	rows := [][]string{{"move", "64 KiB", "1 MiB", "16 MiB", "64 MiB"}}
	row := func(name string, of func(bytes int) string) {
		cells := []string{name}
		for _, bytes := range moveSizes {
			cells = append(cells, of(bytes))
		}
		rows = append(rows, cells)
	}
	row("memcpy", func(n int) string { return value(&b.samples, movedIdle("memcpy-ns/op", n)) })
	row("Nu's model", func(n int) string { return duration(model(n)) })
	row("nuos", func(n int) string { return value(&b.samples, movedIdle("ns/op", n)) })
	row("nuos, its pause", func(n int) string { return value(&b.samples, movedIdle("pause-ns/op", n)) })
	row("nuos, values of 100 bytes", func(n int) string { return value(&b.samples, movedValues("ns/op", n)) })
	for _, p := range []struct{ name, unit, peer, values string }{
		{"one block, TCP", "ns/op", "block-tcp", ""},
		{"gob, TCP", "ns/op", "gob-tcp", ""}, {"gob, values of 100 bytes", "ns/op", "gob-tcp", "/values=100"},
		{"msgpack, TCP", "ns/op", "msgpack-tcp", ""}, {"msgpack, values of 100 bytes", "ns/op", "msgpack-tcp", "/values=100"},
		{"Redis MIGRATE", "ns/op", "redis-migrate", ""}, {"Redis MIGRATE, values of 100 bytes", "ns/op", "redis-migrate", "/values=100"},
		{"CRIU, its pause", "pause-ns/op", "criu", ""},
		{"virtual machine in QEMU", "ns/op", "qemu-migrate", ""}, {"virtual machine, its pause", "pause-ns/op", "qemu-migrate", ""},
	} {
		row(p.name, func(n int) string {
			return value(&b.samples, figure(p.unit, "PeerMove/peer=%s/bytes=%d%s", p.peer, n, p.values))
		})
	}
	table(w, rows)
}

// otherTable is all that the others leave out, as it was measured: a line for each benchmark.
func (b *bench) otherTable(w *strings.Builder) {
	rows := [][]string{{"also measured", "", "tail"}}
	line := map[string][]string{}
	for _, f := range b.samples.Figures() {
		name, unit := f.Benchmark, strings.TrimSuffix(f.Unit, "/op")
		if strings.HasPrefix(name, "Peer") || strings.HasPrefix(name, "LocalCall") || strings.HasPrefix(name, "RemoteCall") ||
			strings.HasSuffix(name, "/threads=0/idle") && !strings.HasPrefix(name, "Emulated") {
			continue
		}
		if line[name] == nil {
			rows = append(rows, []string{name, "", ""})
			line[name] = rows[len(rows)-1]
		}
		column := 1
		if strings.HasPrefix(unit, "p99") {
			column = 2
		}
		what := strings.TrimSpace(strings.TrimSuffix(strings.ReplaceAll(unit, "-ns", ""), "ns"))
		line[name][column] += strings.TrimSpace(", " + what + " " + value(&b.samples, f))
	}
	for _, r := range rows[1:] {
		for i := 1; i <= 2; i++ {
			r[i] = strings.TrimSpace(strings.TrimPrefix(r[i], ","))
		}
	}
	if len(rows) > 1 {
		table(w, rows)
	}
}

// value is the median of a figure in the unit that reads best.
func value(s *samples.Set, f samples.Figure) string {
	v := s.Median(f)
	switch {
	case math.IsNaN(v):
		return "-"
	case strings.Contains(f.Unit, "ns"):
		return duration(v)
	case f.Unit == "allocs/op":
		return fmt.Sprintf("%.3g", v)
	case f.Unit == "bytes":
		return number(v) + "B"
	}
	return number(v)
}

// duration writes nanoseconds with three digits.
func duration(ns float64) string {
	switch {
	case math.IsNaN(ns):
		return "-"
	case ns >= 1e9:
		return fmt.Sprintf("%.3g s", ns/1e9)
	case ns >= 999.5e3:
		return fmt.Sprintf("%.3g ms", ns/1e6)
	case ns >= 999.5:
		return fmt.Sprintf("%.3g µs", ns/1e3)
	}
	return fmt.Sprintf("%.3g ns", ns)
}

// number writes a number with three digits and what it is thousands of.
func number(v float64) string {
	switch {
	case v >= 999.5e3:
		return fmt.Sprintf("%.3g M", v/1e6)
	case v >= 999.5:
		return fmt.Sprintf("%.3g k", v/1e3)
	}
	return fmt.Sprintf("%.3g", v)
}

func size(bytes int) string {
	if bytes >= mib {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

// Between these lines of a document stand the tables of the last run that was kept.
const (
	tablesBegin = "<!-- written by go run ./cmd/bench -docs -->\n"
	tablesEnd   = "<!-- to here -->\n"
)

// replaceTables puts new tables into a document.
func replaceTables(path, tables string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(b), tablesBegin)
	_, after, ended := strings.Cut(rest, tablesEnd)
	if !found || !ended {
		return fmt.Errorf("%s has no place for tables, between %q and %q", path, strings.TrimSpace(tablesBegin), strings.TrimSpace(tablesEnd))
	}
	return os.WriteFile(path, []byte(before+tablesBegin+"\n"+tables+tablesEnd+after), 0o666)
}
