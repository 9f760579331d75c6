package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"nuos/migrate/balance"
	"nuos/rack"
)

// followEvery is how often the machines are asked for new events.
const followEvery = 200 * time.Millisecond

func eventsCommand() *cobra.Command {
	follow, asJSON := false, false
	machine := rack.MachineID(0)
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what was decided about where proclets live, and why",
		Example: `  nuos events
  nuos events --follow
  nuos events --machine 2 --json | jq 'select(.what == "moved")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, _, err := observe()
			if err != nil {
				return err
			}
			defer r.Close()
			encoder := json.NewEncoder(os.Stdout)
			seen := map[rack.MachineID]uint64{}
			for {
				all, err := newEvents(cmd.Context(), r, machine, seen)
				if err != nil {
					return err
				}
				for _, e := range all {
					if asJSON {
						err = encoder.Encode(e)
					} else {
						_, err = fmt.Println(e)
					}
					if err != nil {
						return err
					}
				}
				if !follow {
					return nil
				}
				select {
				case <-cmd.Context().Done():
					return nil
				case <-time.After(followEvery):
				}
			}
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as there are more")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, a line for each event")
	cmd.Flags().Uint32Var((*uint32)(&machine), "machine", 0, "events of this machine only")
	return cmd
}

// newEvents returns the events of all machines, or of one, that have not been seen, by time.
func newEvents(ctx context.Context, r *rack.Rack, only rack.MachineID, seen map[rack.MachineID]uint64) (all []balance.Event, err error) {
	for _, m := range r.Members() {
		if only != 0 && m.ID != only {
			continue
		}
		for {
			bounded, cancel := timeout(ctx)
			some, err := balance.AskEvents(bounded, r, m.ID, seen[m.ID])
			cancel()
			if errors.Is(err, rack.ErrLost) {
				break // it has just left
			}
			if err != nil {
				return nil, fmt.Errorf("machine %d: %w", m.ID, err)
			}
			if len(some) == 0 {
				break
			}
			all = append(all, some...)
			seen[m.ID] = some[len(some)-1].Seq
		}
	}
	slices.SortStableFunc(all, func(a, b balance.Event) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Machine, b.Machine))
	})
	return all, nil
}
