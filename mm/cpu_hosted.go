//go:build !metal

package mm

import "runtime"

// Hosted, the processor belongs to Linux: there are no interrupts to disable
// and no translations of ours to flush. A lock's holder may be switched away,
// so who waits gives up the processor.

func interruptsOff() uintptr    { return 0 }
func interruptsRestore(uintptr) {}
func spinHint()                 { runtime.Gosched() }

// FlushLocal forgets the processor's own translations of r.
func FlushLocal(Range) {}
