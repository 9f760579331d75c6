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
		all = append(all, phasesOf{m.ID, stats})
	}
	return showPhases(os.Stdout, all)
}

// phasesOf is what a machine says of its moves.
type phasesOf struct {
	machine rack.MachineID
	stats   migrate.Stats
}

func showPhases(to io.Writer, all []phasesOf) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MACHINE\tPHASE\tMOVES\tP50\tP99\tMAX")
	for _, m := range all {
		for _, p := range m.stats.Phases {
			fmt.Fprintf(w, "%d\t%s\t%d\t%v\t%v\t%v\n", m.machine, p.Phase, p.Count, p.P50, p.P99, p.Max)
		}
	}
	fmt.Fprintln(w, "\nMACHINE\tMADE\tCOPIED RUNNING\tROUNDS\tSENT\tSENT AGAIN\tPAUSE P50\tP99")
	for _, m := range all {
		s := m.stats
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%s\t%s\t%v\t%v\n", m.machine, s.Made, s.Precopied, s.Rounds, size(s.Bytes), size(s.Again), s.PauseP50, s.PauseP99)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, m := range all {
		if m.stats.Unwatched != "" {
			fmt.Fprintf(to, "machine %d: large proclets stand still while they are copied: %s\n", m.machine, m.stats.Unwatched)
		}
	}
	return nil
}
