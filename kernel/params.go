//go:build metal

package kernel

import (
	"os"

	"nuos/boot"
)

var idleParam = boot.NewParam("idle", "adaptive", "how long an idle processor polls before it halts: adaptive, poll (for ever) or halt (not at all)")

var traceParam = boot.NewParam("trace", "", "calls: the trace has all system calls, not only those that wait or fail")

var clockParam = boot.NewParam("clock", "tsc", "what time goes by: tsc (the time stamp counter, as long as it is right) or counter (the HPET or the ACPI timer)")

// The kernel reads these by itself, before the program starts.
var (
	_ = boot.NewParam("cwd", "/", "the program's working folder")
	_ = boot.NewParam("random-seed", "", "at least 64 hexadecimal digits that nobody can guess, for machines without a source of random numbers")
)

func init() {
	switch v := idleParam.Value(); v {
	case "adaptive":
	case "poll":
		idleMode.Store(idlePoll)
	case "halt":
		idleMode.Store(idleHalt)
	default:
		os.Stderr.WriteString("nuos: idle=" + v + " is not adaptive, poll or halt; adaptive is used\n")
	}
	if v := clockParam.Value(); v != "tsc" && v != "counter" {
		os.Stderr.WriteString("nuos: clock=" + v + " is not tsc or counter; tsc is used\n")
	}
	switch v := traceParam.Value(); v {
	case "":
	case "calls":
		traceCalls.Store(true)
	default:
		os.Stderr.WriteString("nuos: trace=" + v + " is not calls; it is ignored\n")
	}
}
