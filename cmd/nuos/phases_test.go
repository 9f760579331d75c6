package main

import (
	"strings"
	"testing"
	"time"

	"nuos/migrate"
)

func TestShowPhases(t *testing.T) {
	var got strings.Builder
	err := showPhases(&got, []phasesOf{
		{1, migrate.Stats{
			Phases: []migrate.PhaseStats{{Phase: "send", Count: 12, P50: 30 * time.Microsecond, P99: 2 * time.Millisecond, Max: time.Second}},
			Made:   12, Precopied: 3, Rounds: 7, Bytes: 5 << 20, Again: 1 << 20, PauseP50: 50 * time.Microsecond, PauseP99: time.Millisecond,
		}},
		{2, migrate.Stats{Unwatched: "mm: writes cannot be watched: Linux: too old"}},
	})
	want := `MACHINE  PHASE  MOVES  P50   P99  MAX
1        send   12     30µs  2ms  1s

MACHINE  MADE  COPIED RUNNING  ROUNDS  SENT     SENT AGAIN  PAUSE P50  P99
1        12    3               7       5.0 MiB  1.0 MiB     50µs       1ms
2        0     0               0       0 B      0 B         0s         0s
machine 2: large proclets stand still while they are copied: mm: writes cannot be watched: Linux: too old
`
	if got.String() != want || err != nil {
		t.Errorf("%q, %v; want %q", got.String(), err, want)
	}
}
