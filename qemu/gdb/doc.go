// Package gdb attaches gdb to a machine that runs, with the image's symbols, the
// runtime's own commands for goroutines (runtime-gdb.py of the Go release) and
// commands for the kernel's threads (commands.py).
//
// Nothing listens for gdb until Attach has the emulator open a unix socket in the
// rack's folder, and nothing does when it returns. To gdb, the machine's
// processors are its threads. The machine stands still while gdb has it stopped and
// goes on when gdb ends, however it ends.
package gdb
