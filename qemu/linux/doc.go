// Package linux runs a program in a Linux guest under the emulator that images run
// under, to compare the two.
//
// The guest is Debian's cloud kernel and a boot archive: a small program of ours is
// the first process, mounts what programs expect, runs the one that is wanted as
// the only other process, and ends the machine with its exit code. If the program wants a
// network, it loads the modules that the card needs. The kernel is
// fetched with apt-get when it is first asked for and kept in the user's cache
// folder.
package linux
