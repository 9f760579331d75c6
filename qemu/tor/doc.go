// Package tor is described in docs/design.md.
package tor
