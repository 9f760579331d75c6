//go:build metal

package kernel

import (
	"os"
	"runtime"
	"strings"
	"unsafe"
)

// What the kernel relies on in the Go runtime beyond what the runtime itself expects of
// Linux: the first fields of runtime.g, which the stand-in g of a processor imitates
// (standInG, stackGuard), and that a function's name can be found without an m. A
// program of a toolchain where these are different must not start, for a handler would
// ask for more stack or a report of a kernel panic would end in another one.

func init() {
	if what := wrongRuntime(); what != "" {
		os.Stderr.WriteString("nuos: " + what + " is not as the kernel of this image expects, which is written for Go 1.26; this is " +
			runtime.Version() + "\n")
		os.Exit(1)
	}
}

// wrongRuntime says what is different, if anything is.
//
//go:noinline
func wrongRuntime() string {
	const stackPreempt = 1<<64 - 1314 // runtime.stackPreempt, when the goroutine is to give way
	var local byte
	// The g of a running goroutine is not freed, nor does a g ever move.
	g, sp := (*standInG)(pointer(currentG())), uintptr(unsafe.Pointer(&local))
	self := wrongRuntime
	info := findfunc(**(**uintptr)(unsafe.Pointer(&self))) // a function value points to the address of the code
	switch {
	case g.lo >= sp || g.hi <= sp:
		return "the stack in runtime.g"
	case g.guard0 != g.lo+stackGuard && g.guard0 != stackPreempt:
		return "the guard of the stack in runtime.g"
	case info.fn == nil || !strings.HasSuffix(info.name(), "kernel.wrongRuntime"):
		return "runtime.findfunc"
	}
	return ""
}
