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
		{1, []migrate.PhaseStats{{Phase: "send", Count: 12, P50: 30 * time.Microsecond, P99: 2 * time.Millisecond, Max: time.Second}}},
		{2, nil},
	})
	want := "MACHINE  PHASE  MOVES  P50   P99  MAX\n1        send   12     30µs  2ms  1s\n"
	if got.String() != want || err != nil {
		t.Errorf("%q, %v; want %q", got.String(), err, want)
	}
}
