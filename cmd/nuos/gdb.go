package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"nuos/qemu"
	"nuos/qemu/gdb"
)

func gdbCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "gdb [MACHINE] [-- ARGUMENTS...]",
		Short: "Attach gdb to a running machine, with symbols",
		Long: `Gdb stops a machine and starts gdb, to which processors are threads. It has commands
of its own for what else there is:

  info kthreads         threads of the kernel
  kthread N COMMAND     a command for one of them, or for all: kthread all bt
  info goroutines       goroutines of the program
  goroutine N COMMAND   a command for one of them, or for all: goroutine all bt

The machine goes on when gdb ends.`,
		Example: `  nuos gdb 1
  nuos gdb -- -batch -ex 'info kthreads' -ex 'goroutine all bt'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			machine, more := args, []string(nil)
			if n := cmd.ArgsLenAtDash(); n >= 0 {
				machine, more = args[:n], args[n:]
			}
			i := 0
			switch len(machine) {
			case 0:
			case 1:
				var err error
				if i, err = strconv.Atoi(machine[0]); err != nil {
					return fmt.Errorf("%q is not the number of a machine", machine[0])
				}
			default:
				return fmt.Errorf("arguments of gdb stand behind --")
			}
			running, err := qemu.Attach(qemu.DefaultDir(rackName))
			if err != nil {
				return fmt.Errorf("rack %q: %w", rackName, err)
			}
			return gdb.Attach(cmd.Context(), running, i, more)
		},
	}
}
