// Package pci is described in docs/design.md.
package pci
