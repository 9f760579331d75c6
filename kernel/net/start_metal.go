//go:build metal

package net

// An image that imports net has this package linked in; its sockets exist
// before main runs.
func init() { start() }
