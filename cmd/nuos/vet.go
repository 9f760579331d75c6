package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/tools/go/analysis/unitchecker"

	"nuos/proclet/vet"
)

func vetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "vet [FLAGS OF GO VET] PACKAGES...",
		Short: "Find what proclets cannot do",
		Long: `Vet finds in the source what the runtime would refuse: state that cannot move,
arguments that cannot travel, goroutines, channels and locks of Go's in methods,
closures in calls, values of Go's heap that would keep a thread from moving.

It runs go vet with this program as the tool. Editors and scripts can do so
themselves: go vet -vettool=$(which nuos) ./...`,
		Example: `  nuos vet ./...
  nuos vet -tags metal ./images/...
  nuos vet -goheap=false ./...`,
		DisableFlagParsing: true, // they are go vet's
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || args[0] == "-h" || args[0] == "--help" {
				return cmd.Help()
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			run := exec.CommandContext(cmd.Context(), "go", append([]string{"vet", "-vettool=" + self}, args...)...)
			run.Stdout, run.Stderr = os.Stdout, os.Stderr
			err = run.Run()
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				os.Exit(exit.ExitCode()) // go vet has said why
			}
			return err
		},
	}
}

// vetTool does one step of go vet and ends the process, if this program was
// started as its tool: with -V=full or -flags, which ask what it is, or with
// flags of analyzers and a file that describes a package.
func vetTool(args []string) {
	if len(args) == 0 {
		return
	}
	if last := args[len(args)-1]; last == "-V=full" || last == "-flags" || strings.HasSuffix(last, ".cfg") && isFlags(args[:len(args)-1]) {
		unitchecker.Main(vet.Analyzers...)
	}
}

func isFlags(args []string) bool {
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			return false
		}
	}
	return true
}
