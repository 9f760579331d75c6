//go:build metal

package mm

// interruptsOff clears IF and returns RFLAGS as it was.
func interruptsOff() uintptr

// interruptsRestore sets IF if it was set in flags.
func interruptsRestore(flags uintptr)

// spinHint is PAUSE.
func spinHint()

// invalidate is INVLPG for the page of v. It also drops all entries of the
// paging-structure caches for the current address space (SDM 3A, 4.10.4.1).
func invalidate(v Virt)

// setRoot loads CR3, which drops all translations but global ones; mm makes
// no global ones.
func setRoot(root Phys)

func readRoot() Phys

// flushAllAbove is the number of pages from which on reloading CR3 is cheaper
// than invalidating each page.
const flushAllAbove = 64

// FlushLocal forgets the processor's own translations of r. The kernel calls
// it in answer to a flush request of another processor. It is safe in any
// context.
func FlushLocal(r Range) {
	if r.Size > flushAllAbove*PageSize {
		setRoot(readRoot())
		return
	}
	for v := r.Base; v < r.End(); v += PageSize {
		invalidate(v)
	}
}
