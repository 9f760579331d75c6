// Package net is described in docs/design.md.
package net
