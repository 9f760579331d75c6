//go:build metal

package kernel

import (
	"fmt"
	"os"

	"nuos/boot"
)

var idleParam = boot.NewParam("idle", "adaptive", "how long an idle processor polls before it halts: adaptive, poll (for ever) or halt (not at all)")

// The kernel reads it by itself, before the program starts.
var _ = boot.NewParam("cwd", "/", "the program's working folder")

func init() {
	switch v := idleParam.Value(); v {
	case "adaptive":
	case "poll":
		idleMode.Store(idlePoll)
	case "halt":
		idleMode.Store(idleHalt)
	default:
		fmt.Fprintf(os.Stderr, "nuos: idle=%s is not adaptive, poll or halt; adaptive is used\n", v)
	}
}
