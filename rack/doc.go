// Package rack is described in docs/design.md.
package rack
