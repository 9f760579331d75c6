// Package proclet is described in docs/design.md.
package proclet
