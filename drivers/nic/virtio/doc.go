// Package virtio is described in docs/design.md.
package virtio
