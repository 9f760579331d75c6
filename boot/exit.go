package boot

// Exit codes of a machine. A machine that has QEMU's isa-debug-exit device at
// port 0xF4 ends QEMU with the process status code<<1 | 1; one that has not
// halts with the code on its console.
//
// 0 to MaxStatus are the program's own exit statuses; a higher status of the
// program is reported as MaxStatus.
const (
	MaxStatus   = 119
	ExitRefused = 120 // the machine refused to start; the console says why
	ExitPanic   = 121 // kernel panic; the console has the stacks
)

// ExitCode returns the code for an exit status of the program.
func ExitCode(status int) uint8 {
	if status < 0 || status > MaxStatus {
		return MaxStatus
	}
	return uint8(status)
}

// FromQEMU returns the exit code behind the process status of a QEMU that had
// the debug-exit device, and whether the status is such a code: QEMU's own
// failures and a machine that was reset have none.
func FromQEMU(status int) (code uint8, ok bool) {
	if status < 0 || status > 255 || status&1 == 0 {
		return 0, false
	}
	return uint8(status >> 1), true
}
