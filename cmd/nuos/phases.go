package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"nuos/migrate"
	"nuos/rack"
)

// statMoves shows where the time of moves went, on every machine of the rack.
func statMoves(ctx context.Context) error {
	r, _, err := observe()
	if err != nil {
		return err
	}
	defer r.Close()
	ctx, cancel := timeout(ctx)
	defer cancel()
	var all []phasesOf
	for _, m := range r.Members() {
		stats, err := migrate.AskStats(ctx, r, m.ID)
		if err != nil {
			return err
		}
		all = append(all, phasesOf{m.ID, stats.Phases})
	}
	return showPhases(os.Stdout, all)
}

// phasesOf is what a machine says of the phases of its moves.
type phasesOf struct {
	machine rack.MachineID
	phases  []migrate.PhaseStats
}

func showPhases(to io.Writer, all []phasesOf) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MACHINE\tPHASE\tMOVES\tP50\tP99\tMAX")
	for _, m := range all {
		for _, p := range m.phases {
			fmt.Fprintf(w, "%d\t%s\t%d\t%v\t%v\t%v\n", m.machine, p.Phase, p.Count, p.P50, p.P99, p.Max)
		}
	}
	return w.Flush()
}
