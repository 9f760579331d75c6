// Package qemu starts racks of machines on the developer's own computer.
//
// Run boots one machine without a network and returns its console and exit
// code; tests of a kernel need no more.
//
// Every machine is a child process in a process group of its own that the
// operating system kills when this process ends, however it ends.
package qemu
