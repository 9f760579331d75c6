package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// outcome is a scenario in all variants.
type outcome struct {
	scenario scenario
	runs     []*run
}

func (o *outcome) find(variant string) *run {
	for _, r := range o.runs {
		if r.variant == variant && r.over == "" {
			return r
		}
	}
	return nil
}

// table lists what all variants did.
func (o *outcome) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", o.scenario.title)
	open := false
	for _, r := range o.runs {
		open = open || r.rate > 0
	}
	fmt.Fprintf(&b, "| | done a second, before | during | after |%s disturbed for | moves | MiB moved | failures |\n",
		pick(open, " p50 before | during | p99 before | during | p99.9 before | during | worst 10 ms before | during |", ""))
	fmt.Fprintf(&b, "|---|---|---|---|%s---|---|---|---|\n", pick(open, "---|---|---|---|---|---|---|---|", ""))
	for _, r := range o.runs {
		if r.over != "" {
			fmt.Fprintf(&b, "| %s | came to no end: %s |\n", r.variant, r.over)
			continue
		}
		f := r.figures()
		fmt.Fprintf(&b, "| %s | %s | %s | %s |", r.variant, count(f.throughput[before]), count(f.throughput[during]), count(f.throughput[after]))
		if open {
			for _, q := range [][3]time.Duration{f.p50, f.p99, f.p999, f.worst} {
				fmt.Fprintf(&b, " %s | %s |", short(q[before]), short(q[during]))
			}
		}
		fmt.Fprintf(&b, " %s | %d | %.1f | %d |\n", short(f.disturbed), r.moves, float64(r.bytes)/mib, r.failures)
	}
	b.WriteString("\n")
	b.WriteString(o.verdict())
	for _, r := range o.runs {
		if r.failures > 0 && len(r.first) > 0 {
			fmt.Fprintf(&b, "\nThe first failure of *%s*: %s\n", r.variant, strings.ReplaceAll(firstLine(fmt.Errorf("%s", r.first[0])), "|", " "))
		}
	}
	return b.String()
}

// What is wanted of a rack that moves proclets.
const (
	longestDisturbance = 500 * time.Millisecond
	kmeansDisturbance  = 37 * time.Millisecond
	kmeansLoss         = .06
)

// verdict compares the rack that moves proclets with the one that need not.
func (o *outcome) verdict() string {
	moving, roomy := o.find("moving"), o.find("roomy")
	if moving == nil || roomy == nil {
		return "No verdict: moving or roomy came to no end.\n"
	}
	m, r := moving.figures(), roomy.figures()
	var lines []string
	say := func(good bool, format string, args ...any) {
		lines = append(lines, pick(good, "reached: ", "**not reached**: ")+fmt.Sprintf(format, args...))
	}
	say(moving.failures == 0, "%d failures, 0 wanted", moving.failures)
	if moving.rate > 0 {
		most := max(5*r.worst[during], time.Millisecond)
		say(m.worst[during] <= most, "the worst 10 ms have a p99.9 of %s, at most %s wanted (five times that of roomy, or 1 ms)", short(m.worst[during]), short(most))
		say(m.disturbed <= longestDisturbance, "disturbed for %s, at most %s wanted", short(m.disturbed), short(longestDisturbance))
	} else {
		loss := 1 - m.throughput[during]/r.throughput[during]
		say(loss <= kmeansLoss, "%.1f %% less was done than in roomy, at most %.0f %% wanted", 100*loss, 100*kmeansLoss)
		say(m.disturbed-r.disturbed <= kmeansDisturbance, "disturbed for %s longer than roomy, at most %s wanted", short(m.disturbed-r.disturbed), short(kmeansDisturbance))
	}
	return "- " + strings.Join(lines, "\n- ") + "\n"
}

// write prints the tables and writes all files.
func (e *experiments) write(ctx context.Context, all []outcome) error {
	if err := os.MkdirAll(e.out, 0o777); err != nil {
		return err
	}
	commit, _ := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output() // none where the source is not from git
	text := fmt.Sprintf("Seed %d, commit %s, %s.\n", e.seed, strings.TrimSpace(string(commit)), time.Now().Format(time.DateOnly))
	folders := []string{e.out}
	if e.docs != "" {
		folders = append(folders, filepath.Dir(e.docs))
	}
	for _, o := range all {
		chart := o.chart()
		for _, dir := range folders {
			if err := os.WriteFile(filepath.Join(dir, o.chartName()), []byte(chart), 0o666); err != nil {
				return err
			}
		}
		text += fmt.Sprintf("\n%s\n![%s](%s)\n", o.table(), o.scenario.title, o.chartName())
	}
	fmt.Print(text)
	if err := os.WriteFile(filepath.Join(e.out, "experiments.md"), []byte(text), 0o666); err != nil || e.docs == "" {
		return err
	}
	return replace(e.docs, text)
}

// The tables of a document stand between these lines.
const (
	firstMark = "<!-- written by go run ./cmd/experiments -docs -->\n"
	lastMark  = "<!-- to here -->"
)

func replace(path, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, found := strings.Cut(string(b), firstMark)
	_, tail, ends := strings.Cut(rest, lastMark)
	if !found || !ends {
		return fmt.Errorf("%s has no lines %q and %q", path, strings.TrimSpace(firstMark), lastMark)
	}
	return os.WriteFile(path, []byte(head+firstMark+"\n"+text+"\n"+lastMark+tail), 0o666)
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// short writes a time to three digits.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

func count(n float64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.3g M", n/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%.1f k", n/1e3)
	}
	return fmt.Sprintf("%.0f", n)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
