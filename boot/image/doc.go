// Package image is described in docs/design.md.
package image
