package proclet

import "nuos/rack"

// Runtime is this machine's part of the proclets of a rack.
type Runtime struct{}

// Serve starts the proclets of this machine: from now on calls may arrive from
// other machines, and this one may be chosen to hold new proclets. It is called
// once per rack joined; the first Runtime of a process is the one that
// [Current] speaks for.
func Serve(r *rack.Rack) *Runtime { panic("proclet: being written") }

// Current is like the function [Current], for this runtime.
func (rt *Runtime) Current() *Thread { panic("proclet: being written") }
