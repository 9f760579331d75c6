// Package port is described in docs/design.md.
package port
