// Package nictest is described in docs/design.md.
package nictest
