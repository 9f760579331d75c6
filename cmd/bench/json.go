package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// where says where and of what the figures are.
type where struct {
	CPU        string `json:"cpu"`
	Processors int    `json:"processors"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	Commit     string `json:"commit"`
	Load       string `json:"load"` // average of a minute, before the first round
}

// machine asks this computer what it is.
func machine(ctx context.Context) where {
	m := where{CPU: "unknown processor", Processors: runtime.NumCPU(), Go: runtime.Version(), Commit: "unknown"}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(b), " ")
	}
	if b, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(b))
	}
	return m
}

// header is the configuration lines of the format of Go's benchmarks.
func (m where) header() string {
	return fmt.Sprintf("goos: %s\ngoarch: %s\ncpu: %s\nkernel: %s\ncommit: %s\nload: %s\n", runtime.GOOS, runtime.GOARCH, m.CPU, m.Kernel, m.Commit, m.Load)
}

// encode is everything as JSON.
func (b *bench) encode(m where) (string, error) {
	type result struct {
		Name    string    `json:"name"`
		Unit    string    `json:"unit"`
		Median  float64   `json:"median"`
		Samples []float64 `json:"samples"` // one for each round
	}
	type wanted struct {
		What    string   `json:"what"`
		Beside  string   `json:"beside,omitempty"`
		Ours    *float64 `json:"ours"` // none if it was not measured
		Limit   *float64 `json:"limit"`
		Wanted  string   `json:"wanted"`
		Verdict string   `json:"verdict"`
	}
	document := struct {
		Machine where      `json:"machine"`
		Date    time.Time  `json:"date"`
		Rounds  int        `json:"rounds"`
		Results []result   `json:"results"`
		Targets []wanted   `json:"targets"`
		LeftOut []omission `json:"left_out,omitempty"`
	}{Machine: m, Date: b.started.UTC(), Rounds: b.rounds, LeftOut: b.leftOut}
	for _, f := range b.samples.Figures() {
		document.Results = append(document.Results, result{f.Benchmark, f.Unit, b.samples.Median(f), b.samples.Values(f)})
	}
	measured := func(v float64) *float64 {
		if math.IsNaN(v) {
			return nil
		}
		return &v
	}
	for _, t := range targets {
		document.Targets = append(document.Targets, wanted{t.what, t.than,
			measured(b.samples.Median(t.ours)), measured(t.limit(&b.samples)), t.wanted(), t.verdict(&b.samples)})
	}
	text, err := json.MarshalIndent(document, "", "  ")
	return string(text) + "\n", err
}
