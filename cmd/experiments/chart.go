package main

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"
)

// A chart has a panel for each variant, one below the other: what was done, and the p99.9 of each
// window where there are latencies, on a scale of powers of ten. What is grey is when the machine was
// stressed.

const (
	panelWidth  = 800.
	panelHeight = 90.
	marginLeft  = 110.
	marginTop   = 40.
)

type panel struct {
	Title, Unit  string
	Y            float64
	Line         string // points of a polyline
	Low, High    string // of the scale
	Grey1, Grey2 float64
}

var chartTemplate = template.Must(template.New("chart").Parse(`<svg xmlns="http://www.w3.org/2000/svg" width="930" height="{{.Height}}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="10" y="22" font-size="16" font-weight="bold">{{.Title}}</text>
{{range .Panels}}<rect x="{{.Grey1}}" y="{{.Y}}" width="{{.Grey2}}" height="90" fill="#eee"/>
<text x="10" y="{{.Y}}" dy="14" font-weight="bold">{{.Title}}</text><text x="10" y="{{.Y}}" dy="30">{{.Unit}}</text>
<text x="106" y="{{.Y}}" dy="10" text-anchor="end">{{.High}}</text><text x="106" y="{{.Y}}" dy="90" text-anchor="end">{{.Low}}</text>
<line x1="110" x2="910" y1="{{.Y}}" y2="{{.Y}}" transform="translate(0,90)" stroke="#999"/>
<polyline points="{{.Line}}" transform="translate(110,{{.Y}})" fill="none" stroke="#c33" stroke-width="1"/>
{{end}}<text x="110" y="{{.Foot}}" font-size="11" fill="#555">{{.Seconds}} s in windows of 10 ms. Grey: {{.Stress}}</text>
</svg>
`))

func (o *outcome) chartName() string { return o.scenario.name + ".svg" }

// chart draws all variants.
func (o *outcome) chart() string {
	highest, longest, shortest := 0., time.Duration(0), time.Hour
	for _, r := range o.runs {
		for _, s := range r.windows {
			highest = max(highest, s.throughput)
			if s.p999 > 0 {
				longest, shortest = max(longest, s.p999), min(shortest, s.p999)
			}
		}
	}
	var panels []panel
	y := marginTop
	add := func(r *run, unit, low, high string, of func(sample) float64) {
		third := panelWidth / 3
		panels = append(panels, panel{r.variant, unit, y, r.line(of), low, high, marginLeft + third, third})
		y += panelHeight + 20
	}
	for _, r := range o.runs {
		if r.over != "" {
			continue
		}
		if r.rate == 0 {
			add(r, r.unit+"/s", "0", count(highest), func(s sample) float64 { return s.throughput / highest })
			continue
		}
		scale := math.Log(float64(longest) / float64(shortest))
		add(r, "p99.9", short(shortest), short(longest), func(s sample) float64 {
			return math.Log(float64(max(s.p999, shortest))/float64(shortest)) / max(scale, 1e-9)
		})
	}
	what := fmt.Sprintf("%d threads compute on machine %d.", o.scenario.order.Cores, o.scenario.victim)
	if rate := o.scenario.order.Rate; rate > 0 {
		what = fmt.Sprintf("memory of machine %d is taken, %d MiB a second.", o.scenario.victim, rate/mib)
	}
	var b strings.Builder
	err := chartTemplate.Execute(&b, struct {
		Title        string
		Panels       []panel
		Height, Foot float64
		Seconds      int
		Stress       string
	}{o.scenario.title, panels, y + 20, y + 5, int(3 * o.scenario.phase.Seconds()), what})
	if err != nil {
		panic(err) // the template and its data are ours
	}
	return b.String()
}

// line is a polyline of numbers between 0 and 1.
func (r *run) line(of func(sample) float64) string {
	all := float64(3 * r.scenario.phase)
	var points []string
	for _, s := range r.windows {
		if x := float64(s.at) / all; x <= 1 {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x*panelWidth, (1-of(s))*panelHeight))
		}
	}
	return strings.Join(points, " ")
}
