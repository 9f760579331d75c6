// Package boot is how a machine comes up: the entry code that a loader jumps
// to, the Info that all ways of booting converge on, the command line and its
// parameters, the build identity and the exit codes. Its subpackage acpi reads
// firmware tables; image, a host tool, writes the bootable file.
//
// # From the loader to the kernel
//
//	entry32_amd64.s   PVH and Multiboot: 32-bit code to long mode
//	entry64_amd64.s   all ways of booting: the first address space
//	kernel·start      with the state that entry64_amd64.s describes
//	Parse             what the loader said, into Info; or a Refusal
//	acpi.Load         what the firmware says, into acpi.Tables
//
// # Invariants
//
// Nothing depends on where the image was loaded, except that it was at a page
// boundary below 4 GiB.
//
// What runs before the Go runtime is up (everything that Parse, Words and
// acpi.Load reach) allocates nothing, writes no pointer to memory, uses no map
// and no interface, and keeps its results in variables of fixed size. It does
// not rely on package initialisation either, which has not happened.
//
// What a loader or the firmware left in memory is read with every length
// checked, copied, and never looked at again; only the boot archive stays where
// it is. What makes no sense is counted and left out. A machine that cannot run
// gets a Refusal, one sentence for its console.
//
// # Caveats
//
// The command line is a list of words and the whole of it is public: a key
// given there can be read by everybody who can read the loader's
// configuration.
//
// Hosted, there is no Info: the parameters are the words of the process's
// command line, and the identity is that of its executable.
package boot
