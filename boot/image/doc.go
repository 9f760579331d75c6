// Package image writes bootable images. It is a host tool and never part of
// one.
//
// Build compiles a main package with the stock Go toolchain for the build tag
// metal, adding one generated file that links the kernel in, and turns what
// the linker wrote into one ELF file that starts by itself:
//
//	0x0000  ELF header, program headers, PVH entry note
//	0x1fd0  Multiboot header
//	0x2000  the program's segments, as linked, without section headers
//
// Both loaders enter at the same 32-bit code, boot's entry32. A Multiboot
// loader takes everything from the Multiboot header on as one piece, so offsets
// in the file and linked addresses differ by a constant.
//
// The Multiboot header stands at the last place where QEMU does not look for
// one (it searches 8192-48 bytes) but loaders that search all of the 8192
// bytes that the specification names do. QEMU prefers Multiboot to PVH, for
// which it needs an option ROM that not all of its machines run; so it uses
// the PVH note, and GRUB and iPXE use the Multiboot header.
//
// The writer fills in boot.Stamp: where the program begins and ends, how much
// memory it needs, and its build identity, a SHA-256 over the loaded segments.
// Equal sources, Go releases and options give equal identities wherever the
// image is built.
//
// If the last zeroed variable of the program is large, it is left out of what
// loaders provide, and the kernel maps it on first use: crypto/rand brings one
// of 32 MiB that is hardly ever touched.
//
// The kernel's packages are initialized before those of the program that they do not
// import, whatever their paths are: an init may use the network (initorder.go).
//
// A boot archive is a second file that the loader passes as a module (QEMU:
// -initrd). It is not part of the image, so it can change without a build and
// does not change the identity.
package image
