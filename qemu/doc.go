// Package qemu is described in docs/design.md.
package qemu
