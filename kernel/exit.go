//go:build metal

package kernel

import "nuos/boot"

// exit ends the machine with the program's exit status.
func exit(status int) {
	stopOthers()
	boot.Exit(boot.ExitCode(status))
}
