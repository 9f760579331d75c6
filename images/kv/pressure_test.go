package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"nuos/migrate/balance"
	"nuos/migrate/stress"
	"nuos/mm"
	"nuos/proclet"
	"nuos/qemu"
	"nuos/rack"
)

// TestMemoryPressure takes nearly all memory of one of two machines, and then writes more than is left there. If
// proclets move by themselves everything is stored; if not, much is refused for want of memory.
func TestMemoryPressure(t *testing.T) {
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprintf("balance %v", on), func(t *testing.T) {
			param := "balance=on"
			if !on {
				param = "balance=off"
			}
			r := start(t, qemu.Options{Hosted: true, Machines: 2, Params: []string{"mem=96M", "shards=64", param}})
			observer := observe(t, r)
			victim := observer.Members()[1].ID
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			takeMemory(t, ctx, observer, victim)

			c := connect(t, r.Listen()[0], 2)
			const keys, size = 4000, 4000 // of which half would live on either machine: 8 MB
			value, refused := strings.Repeat("v", size), 0
			for i := range keys {
				if err := c.Set(ctx, fmt.Sprintf("key:%d", i), value, 0).Err(); err != nil {
					if !strings.Contains(err.Error(), mm.ErrNoMemory.Error()) && !strings.Contains(err.Error(), "OOM") {
						t.Fatalf("SET: %v", err)
					}
					refused++
				}
			}
			if on != (refused == 0) {
				t.Errorf("%d of %d values were refused", refused, keys)
			}
			there := 0
			for i := range keys {
				if got, err := c.Get(ctx, fmt.Sprintf("key:%d", i)).Result(); err == nil && got == value {
					there++
				}
			}
			if there != keys-refused {
				t.Errorf("%d values of %d are there, and %d were refused", there, keys, refused)
			}
			moved(t, ctx, observer, victim, on)
		})
	}
}

// takeMemory takes a machine's memory until next to none is left.
func takeMemory(t *testing.T, ctx context.Context, observer *rack.Rack, victim rack.MachineID) {
	t.Helper()
	if _, err := stress.Ask(ctx, observer, victim, stress.Order{Rate: 1 << 30, For: 5 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	for before := uint64(0); ; {
		time.Sleep(100 * time.Millisecond)
		st, err := stress.Ask(ctx, observer, victim, stress.Order{})
		if err != nil {
			t.Fatal(err)
		}
		if st.Bytes > 0 && st.Bytes == before {
			return
		}
		before = st.Bytes
	}
}

// moved checks whether the victim's proclets have moved, and says why.
func moved(t *testing.T, ctx context.Context, observer *rack.Rack, victim rack.MachineID, want bool) {
	t.Helper()
	left, err := proclet.Ask(ctx, observer, victim)
	if err != nil {
		t.Fatal(err)
	}
	events, err := balance.AskEvents(ctx, observer, victim, 0)
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, e := range events {
		said += e.String() + "\n"
	}
	if want != strings.Contains(said, "(memory)") || want != (len(left) < 32) {
		t.Errorf("%d of 32 proclets have stayed on machine %d:\n%s", len(left), victim, said)
	}
}
