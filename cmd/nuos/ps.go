package main

import (
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nuos/migrate"
	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
)

// askBound is how long a machine may take to answer a question.
const askBound = 10 * time.Second

// machineView is one machine as ps shows it.
type machineView struct {
	ID        rack.MachineID `json:"id"`
	IP        string         `json:"ip"`
	MAC       string         `json:"mac"`
	Directory bool           `json:"directory,omitempty"`
	Draining  bool           `json:"draining,omitempty"`
	Error     string         `json:"error,omitempty"`
	Moves     migrate.Stats  `json:"moves"`
	Proclets  []proclet.Info `json:"proclets"`
}

func psCommand() *cobra.Command {
	asJSON, quiet := false, false
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "Show the machines, the proclets, and which lives where",
		Example: `  nuos ps
  nuos ps --json | jq '.[].proclets | length'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, _, err := observe()
			if err != nil {
				return err
			}
			defer r.Close()
			var all []machineView
			directory, _ := r.Directory()
			for _, m := range r.Members() {
				v := machineView{ID: m.ID, IP: m.IP.String(), MAC: m.MAC, Directory: m.ID == directory, Draining: m.Draining}
				if err := v.ask(cmd, r); err != nil {
					v.Error = err.Error()
				}
				all = append(all, v)
			}
			if asJSON {
				e := json.NewEncoder(os.Stdout)
				e.SetIndent("", "  ")
				return e.Encode(all)
			}
			show(all, quiet)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "machines only")
	return cmd
}

func (v *machineView) ask(cmd *cobra.Command, r *rack.Rack) error {
	ctx, cancel := timeout(cmd.Context())
	defer cancel()
	var err error
	if v.Proclets, err = proclet.Ask(ctx, r, v.ID); err != nil {
		return err
	}
	v.Moves, err = migrate.AskStats(ctx, r, v.ID)
	return err
}

func show(all []machineView, quiet bool) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MACHINE\tADDRESS\tMEMORY\tUSED\tPROCLETS\tHEAPS\tLEFT\tARRIVED\tPAUSE P50\tP99\tROLE")
	for _, v := range all {
		bytes := uint64(0)
		for _, p := range v.Proclets {
			bytes += p.Mapped
		}
		role := ""
		if v.Directory {
			role = "directory "
		}
		if v.Draining {
			role += "draining "
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\t%d\t%d\t%v\t%v\t%s%s\n", v.ID, v.IP,
			size(v.Moves.Frames.Total*mm.PageSize), size((v.Moves.Frames.Total-v.Moves.Frames.Free)*mm.PageSize), len(v.Proclets), size(bytes),
			v.Moves.Made, v.Moves.Arrived, v.Moves.PauseP50, v.Moves.PauseP99, role, v.Error)
	}
	if !quiet {
		fmt.Fprintln(w, "\nPROCLET\tMACHINE\tTYPE\tMEMORY\tUSED\tPEAK\tLIMIT\tMOVES\tCALLS\tCPU\tMOST CALLED FROM\t")
		for _, v := range all {
			for _, p := range v.Proclets {
				caller := ""
				if len(p.Callers) > 0 {
					caller = fmt.Sprintf("%d (%.0f%%)", p.Callers[0].Machine, 100*p.Callers[0].Share)
				}
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%.2f\t%s\t\n", p.ID, v.ID, p.Type,
					size(p.Mapped), size(p.Used), size(p.Peak), size(p.Capacity), p.Moves, p.Calls, p.Processors, caller)
			}
		}
	}
	w.Flush()
}

// size writes a number of bytes for people.
func size(n uint64) string {
	for _, unit := range []struct {
		name  string
		bytes uint64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= unit.bytes {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.bytes), unit.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
