package metrics

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

//go:embed dashboard.json
var dashboard []byte

// queries returns every query of the dashboard, with where it is.
func queries() (all map[string]string, err error) {
	var d struct {
		Title  string
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct {
				Name  string
				Query any
			}
		}
	}
	if err := json.Unmarshal(dashboard, &d); err != nil {
		return nil, err
	}
	all = map[string]string{}
	for _, p := range d.Panels {
		for i, target := range p.Targets {
			all[fmt.Sprintf("panel %q, query %d", p.Title, i)] = target.Expr
		}
		if len(p.Targets) == 0 && p.Type != "row" {
			return nil, fmt.Errorf("panel %q asks for nothing", p.Title)
		}
	}
	for _, v := range d.Templating.List {
		if q, ok := v.Query.(map[string]any); ok {
			all["variable "+v.Name] = fmt.Sprint(q["query"])
		}
	}
	return all, nil
}

var (
	selector = regexp.MustCompile(`([a-z_][a-z0-9_]*)\{([^}]*)\}`) // metric{labels}
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
	grouping = regexp.MustCompile(`(?:by|ignoring|on)\s*\(([^)]*)\)`)
	labelled = regexp.MustCompile(`label_values\(([a-z_]+),\s*([a-z_]+)\)`)
	anyName  = regexp.MustCompile(`(?:nuos|go)_[a-z0-9_]+`)
)

// labelsOf returns the labels of a metric, and their values. Prometheus adds job and
// instance.
func (f families) labelsOf(name string) map[string][]string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if f[name] == nil {
			name = strings.TrimSuffix(name, suffix)
		}
	}
	all := map[string][]string{"instance": nil, "job": nil, "le": nil}
	for _, m := range f[name].GetMetric() {
		for _, l := range m.GetLabel() {
			all[l.GetName()] = append(all[l.GetName()], l.GetValue())
		}
	}
	return all
}

// queriesWithout returns what is wrong with the queries of the dashboard, given what a
// machine exposes. What the kernel counts is there on metal only.
func queriesWithout(f families, metal bool) (problems []string) {
	all, err := queries()
	if err != nil || len(all) == 0 {
		return []string{fmt.Sprintf("%d queries, %v", len(all), err)}
	}
	exists := f.names()
	for where, q := range all {
		wrong := func(format string, args ...any) {
			problems = append(problems, fmt.Sprintf("%s: %s, in %s", where, fmt.Sprintf(format, args...), q))
		}
		if len(anyName.FindAllString(q, -1)) == 0 {
			wrong("no metric")
		}
		if !metal && strings.Contains(q, "nuos_kernel_") {
			continue
		}
		known := map[string][]string{}
		for _, name := range anyName.FindAllString(q, -1) {
			if !exists[name] {
				wrong("there is no metric %s", name)
			}
			for l, values := range f.labelsOf(name) {
				known[l] = append(known[l], values...)
			}
		}
		for _, s := range selector.FindAllStringSubmatch(q, -1) {
			labels := f.labelsOf(s[1])
			for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
				values, ok := labels[m[1]]
				if !ok || values != nil && !slices.Contains(values, m[2]) {
					wrong("%s has no %s=%q", s[1], m[1], m[2])
				}
			}
		}
		for _, g := range grouping.FindAllStringSubmatch(q, -1) {
			for l := range strings.SplitSeq(g[1], ",") {
				if _, ok := known[strings.TrimSpace(l)]; !ok {
					wrong("no label %s", l)
				}
			}
		}
		for _, l := range labelled.FindAllStringSubmatch(q, -1) {
			if _, ok := known[l[2]]; !ok {
				wrong("no label %s", l[2])
			}
		}
		if strings.Count(q, "(") != strings.Count(q, ")") || strings.Count(q, "{") != strings.Count(q, "}") {
			wrong("brackets do not match")
		}
	}
	return problems
}

// TestDashboardIsChecked: what is compared with an exposition without a metric, or without
// a label's value, is found to lack it.
func TestDashboardIsChecked(t *testing.T) {
	problems := strings.Join(queriesWithout(families{}, true), "\n")
	for _, want := range []string{"no metric nuos_memory_bytes,", "no metric nuos_call_duration_seconds_bucket,", "no metric nuos_kernel_interrupts_total,",
		`nuos_memory_bytes has no owner="free"`, "no label phase", "no metric nuos_build_info,"} {
		if !strings.Contains(problems, want) {
			t.Errorf("%q is not among the problems:\n%s", want, problems)
		}
	}
}
