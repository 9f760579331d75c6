//go:build metal

package boot

// Exit ends the machine with an exit code: it writes the code to the
// debug-exit port and, when nothing comes of that, halts the calling processor
// with interrupts off. Other processors are the caller's to stop. It may be
// called in any state of the machine.
func Exit(code uint8)
