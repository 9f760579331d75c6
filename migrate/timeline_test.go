//go:build !race

package migrate

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"nuos/proclet"
	"nuos/rack"
)

// TestTimeline moves a proclet, asks the other machine's clock and memory, and reads what is
// written as a viewer would.
func TestTimeline(t *testing.T) {
	all := rackInProcess(t, 2)
	for _, m := range all {
		m.rack.Handle(rack.ServiceMigrateAdmin, m.migrator.administer)
	}
	th := all[0].runtime.Current()
	ref, err := proclet.New[crowd](th, proclet.Options{On: all[0].rack.Self().ID})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := all[0].migrator.Move(t.Context(), ref.ID(), all[1].rack.Self().ID); err != nil {
		t.Fatal(err)
	}
	var lines []*Timeline
	for _, m := range all {
		waitFor(t, "all phases", func() bool {
			line, err := AskTimeline(t.Context(), all[0].rack, m.rack.Self().ID)
			if err != nil {
				t.Fatal(err)
			}
			ended := func(phase string) bool {
				return slices.ContainsFunc(line.Spans, func(s Span) bool { return s.Phase == phase })
			}
			lines = append(lines[:min(len(lines), slices.Index(all, m))], line)
			return ended("clear") || ended("adopt")
		})
	}
	if err := proclet.Destroy(th, ref); err != nil {
		t.Error(err)
	}
	var text bytes.Buffer
	if err := WriteTimeline(&text, lines); err != nil {
		t.Fatal(err)
	}
	var file struct {
		TraceEvents []struct {
			Name    string
			Ph      string
			Pid     rack.MachineID
			Tid     int
			Ts, Dur float64
			Args    map[string]any
		}
	}
	if err := json.Unmarshal(text.Bytes(), &file); err != nil {
		t.Fatalf("%v\n%s", err, text.Bytes())
	}
	phases := map[rack.MachineID][]string{}
	longest := float64(time.Since(began).Microseconds() + 1)
	at := map[string][2]float64{}
	for _, e := range file.TraceEvents {
		if e.Ph == "M" {
			continue
		}
		if e.Ph != "X" || e.Tid != 1 || e.Args["proclet"] != ref.ID().String() || e.Ts < 0 || e.Dur < 0 || e.Ts+e.Dur > 2*longest || (e.Name == "send") != (e.Args["bytes"] != nil) {
			t.Errorf("an event of a timeline of %v µs: %+v", longest, e)
		}
		phases[e.Pid] = append(phases[e.Pid], e.Name)
		at[e.Name] = [2]float64{e.Ts, e.Ts + e.Dur}
	}
	for i, want := range [][]string{{"close", "describe", "send", "commit", "clear"}, {"map", "receive", "verify", "adopt"}} {
		if got := phases[all[i].rack.Self().ID]; !slices.Equal(got, want) {
			t.Errorf("machine %d has phases %q, want %q", i, got, want)
		}
	}
	// The machines have one clock here, so the order between them shows.
	if at["receive"][1] > at["send"][1]+longest/2 || at["adopt"][0] < at["receive"][1] || at["close"][0] != 0 {
		t.Errorf("phases are out of order: %v", at)
	}
}
