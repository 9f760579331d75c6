package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nuos/migrate/stress"
	"nuos/rack"
)

func stressCommand() *cobra.Command {
	var on uint32
	duration := 10 * time.Second
	leave := ""
	cmd := &cobra.Command{
		Use:   "stress {mem RATE | cpu CORES | stop}",
		Short: "Take memory or processors away from a machine, for a while",
		Example: `  nuos stress mem 200M --on 2              200 MiB a second, until there is next to none left
  nuos stress cpu 2 --on 1 --for 30s       two threads that compute
  nuos stress stop --on 1                  give all back`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := stressOrder(args, leave)
			if err != nil {
				return err
			}
			o.For = duration
			r, _, err := observe()
			if err != nil {
				return err
			}
			defer r.Close()
			return runStress(cmd.Context(), r, rack.MachineID(on), o)
		},
	}
	cmd.Flags().Uint32Var(&on, "on", 0, "the machine, as nuos ps numbers them")
	cmd.Flags().DurationVar(&duration, "for", duration, "how long")
	cmd.Flags().StringVar(&leave, "leave", "", "memory to leave free (default: half of what the machine calls pressure)")
	cmd.MarkFlagRequired("on")
	return cmd
}

// stressOrder reads the words of the command.
func stressOrder(args []string, leave string) (o stress.Order, err error) {
	if leave != "" {
		if o.Leave, err = parseBytes(leave); err != nil {
			return o, err
		}
	}
	switch {
	case len(args) == 1 && args[0] == "stop":
		o.Stop = true
		return o, nil
	case len(args) == 2 && args[0] == "mem":
		o.Rate, err = parseBytes(args[1])
		return o, err
	case len(args) == 2 && args[0] == "cpu":
		if o.Cores, err = strconv.Atoi(args[1]); err != nil || o.Cores < 1 || o.Cores > stress.MaxCores {
			return o, fmt.Errorf("%q is not a number of cores from 1 to %d", args[1], stress.MaxCores)
		}
		return o, nil
	}
	return o, errors.New("want mem RATE, cpu CORES or stop")
}

// parseBytes reads a number of bytes such as 200M.
func parseBytes(s string) (uint64, error) {
	digits, shift := s, 0
	if n := len(s); n > 0 {
		if i := strings.IndexByte("KMGT", s[n-1]&^0x20); i >= 0 {
			digits, shift = s[:n-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63-shift)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a number of bytes such as 200M", s)
	}
	return n << shift, nil
}

// runStress has a machine obey, and waits until the order is over. Ctrl-C ends it.
func runStress(ctx context.Context, r *rack.Rack, machine rack.MachineID, o stress.Order) error {
	tell := func(o stress.Order) (stress.Status, error) {
		bounded, cancel := timeout(context.WithoutCancel(ctx))
		defer cancel()
		return stress.Ask(bounded, r, machine, o)
	}
	if _, err := tell(o); err != nil || o.Stop {
		return err
	}
	over := time.After(o.For)
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			st, err := tell(stress.Order{})
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "machine %d: %s and %d cores are taken\n", machine, size(st.Bytes), st.Cores)
		case <-over:
			return nil
		case <-ctx.Done():
			_, err := tell(stress.Order{Stop: true})
			return err
		}
	}
}
