package main

import (
	"math"
	"strings"
	"text/template"

	"nuos/internal/samples"
)

// The chart has two groups of bars, a call and a move, on a logarithmic scale that begins a
// little below the shortest time.

// bar is one line of the chart.
type bar struct {
	Name, Value string
	Ours        bool
	Y           int
	Width       float64

	time float64
}

type group struct {
	Title string
	Y     int
	Bars  []bar
}

const (
	barHeight  = 22
	chartWidth = 420. // of the longest bar
)

var chartTemplate = template.Must(template.New("chart").Parse(`<svg xmlns="http://www.w3.org/2000/svg" width="780" height="{{.Height}}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="white"/>
{{range .Groups}}<text x="10" y="{{.Y}}" font-size="16" font-weight="bold">{{html .Title}}</text>
{{range .Bars}}<text x="250" y="{{.Y}}" text-anchor="end">{{html .Name}}</text><rect x="258" y="{{.Y}}" width="{{printf "%.1f" .Width}}" height="16" transform="translate(0,-13)" fill="{{if .Ours}}#c33{{else}}#789{{end}}"/><text x="264" y="{{.Y}}" dx="{{printf "%.1f" .Width}}">{{.Value}}</text>
{{end}}{{end}}<text x="10" y="{{.Foot}}" font-size="11" fill="#555">Logarithmic. {{html .Where}}</text>
</svg>
`))

// chart draws the time of a call and of a move beside those of all others.
func (b *bench) chart(m where) (string, error) {
	groups := []group{
		b.group("A call with 8 bytes, p50", []bar{{Name: "frame there and back"}, {Name: "nuos", Ours: true},
			{Name: "TCP, no library"}, {Name: "net/rpc, TCP"}, {Name: "gRPC-Go, unix socket"}, {Name: "gRPC-Go, TCP"}},
			[]samples.Figure{figure("p50-ns", "LinkRoundTrip/bytes=60"), figure("p50-ns", "RemoteCall/bytes=8"),
				figure("p50-ns", "PeerCall/peer=tcp/bytes=8"), figure("p50-ns", "PeerCall/peer=netrpc-tcp/bytes=8"),
				figure("p50-ns", "PeerCall/peer=grpc-unix/bytes=8"), figure("p50-ns", "PeerCall/peer=grpc-tcp/bytes=8")}),
		b.group("Moving 1 MiB", []bar{{Name: "memcpy"}, {Name: "nuos", Ours: true}, {Name: "one block, TCP"},
			{Name: "msgpack, values of 100 bytes"}, {Name: "gob, values of 100 bytes"}, {Name: "Redis, values of 100 bytes"},
			{Name: "virtual machine of 64 MiB"}},
			[]samples.Figure{movedIdle("memcpy-ns/op", mib), movedIdle("ns/op", mib), figure("ns/op", "PeerMove/peer=block-tcp/bytes=%d", mib),
				figure("ns/op", "PeerMove/peer=msgpack-tcp/bytes=%d/values=100", mib), figure("ns/op", "PeerMove/peer=gob-tcp/bytes=%d/values=100", mib),
				figure("ns/op", "PeerMove/peer=redis-migrate/bytes=%d/values=100", mib), figure("ns/op", "PeerMove/peer=qemu-migrate/bytes=%d", 64*mib)}),
	}
	y := 0
	for i := range groups {
		g := &groups[i]
		y += 30
		g.Y = y
		for j := range g.Bars {
			y += barHeight
			g.Bars[j].Y = y
		}
		y += 10
	}
	var w strings.Builder
	err := chartTemplate.Execute(&w, struct {
		Groups       []group
		Foot, Height int
		Where        string
	}{groups, y + 20, y + 34, m.CPU + ", Linux " + m.Kernel + ", commit " + m.Commit})
	return w.String(), err
}

// group fills in the bars of what was measured.
func (b *bench) group(title string, bars []bar, of []samples.Figure) group {
	g := group{Title: title}
	least, most := math.Inf(1), 0.
	for i, bar := range bars {
		bar.time, bar.Value = b.samples.Median(of[i]), value(&b.samples, of[i])
		if bar.time > 0 { // not NaN
			least, most = min(least, bar.time), max(most, bar.time)
			g.Bars = append(g.Bars, bar)
		}
	}
	start := math.Log(least / 2)
	for i := range g.Bars {
		g.Bars[i].Width = chartWidth * (math.Log(g.Bars[i].time) - start) / (math.Log(most) - start)
	}
	return g
}
