// Package migrate is described in docs/design.md.
package migrate
