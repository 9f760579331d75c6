// Command nuos builds images, runs racks of them on this computer, and looks
// into racks that run.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	vetTool(os.Args[1:])
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "nuos:", err)
		stop()
		status := exitStatus(1)
		errors.As(err, &status)
		os.Exit(int(status))
	}
}

// rackName is the flag that all commands on running racks share.
var rackName string

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "nuos",
		Short:         "Run a rack of machines as one computer",
		SilenceUsage:  true,
		SilenceErrors: true,
		Example: `  nuos run -n 3 -p 6379:6379 ./images/kv      boot three machines
  nuos ps                                     see what lives where
  nuos top                                    watch the machines
  nuos migrate --shuffle 20ms --for 60s       move proclets about`,
	}
	root.PersistentFlags().StringVar(&rackName, "name", "nuos", "name of the rack")
	root.AddCommand(buildCommand(), runCommand(), psCommand(), topCommand(), migrateCommand(), drainCommand(), eventsCommand(), stressCommand(), logsCommand(), stopCommand(), testCommand(), benchCommand(), vetCommand(), simulateCommand())
	root.AddCommand(statCommand(), traceCommand(), stacksCommand(), dumpCommand(), coreCommand(), gdbCommand())
	return root
}
