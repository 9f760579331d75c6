// Package monitor speaks QEMU's monitor protocol (QEMU, docs/interop/qmp-spec.txt)
// on a unix socket: commands and their results, events, and what this project asks
// of it: memory, registers, a core, a gdb stub.
//
// A socket serves one client at a time; the next one waits in Dial until the one
// before has closed. A Client may be used concurrently, its commands one after the
// other.
//
// # Caveats
//
// Memory and registers of a machine that runs are read while it changes them. Stop
// it for a picture that was true at one moment; its clock then stands still, too.
package monitor
