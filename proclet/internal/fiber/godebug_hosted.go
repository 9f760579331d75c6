//go:build linux && !metal && !race

package fiber

import (
	"os"
	"slices"
	"strings"
	"syscall"
)

// noShrinking is the setting that keeps the runtime from shrinking stacks: it would
// copy a fiber's stack into Go's heap and free the original, that is not its own.
// The setting is read when the runtime starts; neither a //go:debug line nor
// os.Setenv can make it.
const noShrinking = "gcshrinkstackoff=1"

// A program that was started without it starts once more. This happens before main,
// so nothing has been done that would be done twice, but for what packages do
// when they are initialised.
func init() {
	env, ok := withSetting(os.Environ())
	if ok {
		return
	}
	// If Linux refuses, Check says what is wrong.
	_ = syscall.Exec("/proc/self/exe", os.Args, env)
}

// withSetting returns env with the setting, and whether it had it already. The last
// setting of a name is the one that counts.
func withSetting(env []string) ([]string, bool) {
	i := slices.IndexFunc(env, func(v string) bool { return strings.HasPrefix(v, "GODEBUG=") })
	if i < 0 {
		return append(env, "GODEBUG="+noShrinking), false
	}
	settings := strings.Split(strings.TrimPrefix(env[i], "GODEBUG="), ",")
	for _, s := range slices.Backward(settings) {
		if strings.HasPrefix(s, "gcshrinkstackoff=") {
			if s == noShrinking {
				return env, true
			}
			break
		}
	}
	env = slices.Clone(env)
	env[i] = "GODEBUG=" + strings.Join(append(settings, noShrinking), ",")
	return env, false
}
