package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/spf13/cobra"

	"nuos/qemu"
	"nuos/rack"
)

// observe joins the running rack as an observer, on a port of its switch.
func observe() (*rack.Rack, *qemu.Running, error) {
	running, err := qemu.Attach(qemu.DefaultDir(rackName))
	if err != nil {
		return nil, nil, fmt.Errorf("rack %q: %w", rackName, err)
	}
	r, err := running.Observe()
	if err != nil {
		return nil, nil, fmt.Errorf("rack %q: %w", rackName, err)
	}
	return r, running, nil
}

func logsCommand() *cobra.Command {
	follow := false
	cmd := &cobra.Command{
		Use:   "logs [MACHINE]",
		Short: "Show what the machines print on their consoles",
		Example: `  nuos logs        all machines
  nuos logs -f 1   machine 1, as it goes on`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			running, err := qemu.Attach(qemu.DefaultDir(rackName))
			if err != nil {
				return fmt.Errorf("rack %q: %w", rackName, err)
			}
			arguments := []string{"-n", "+1"}
			if follow {
				arguments = append(arguments, "-F")
			}
			wanted := -1
			if len(args) == 1 {
				if wanted, err = strconv.Atoi(args[0]); err != nil || wanted < 0 || wanted >= len(running.Machines) {
					return fmt.Errorf("no machine %q: there are %d, from 0", args[0], len(running.Machines))
				}
			}
			for _, m := range running.Machines {
				if wanted < 0 || m.Index == wanted {
					arguments = append(arguments, m.Console)
				}
			}
			tail := exec.CommandContext(cmd.Context(), "tail", arguments...)
			tail.Stdout, tail.Stderr = os.Stdout, os.Stderr
			if err := tail.Run(); err != nil && cmd.Context().Err() == nil {
				return err
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as more is printed")
	return cmd
}

func stopCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "stop",
		Short:   "Stop a running rack",
		Example: "  nuos stop --name nuos",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			running, err := qemu.Attach(qemu.DefaultDir(rackName))
			if err != nil {
				return fmt.Errorf("rack %q: %w", rackName, err)
			}
			return running.Stop(cmd.Context())
		},
	}
}

// timeout bounds a question to a machine.
func timeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, askBound)
}
