package proclet

// Thread is the context of a call: which proclet runs, on whose behalf, and in
// which chain of calls. A method gets its Thread from the call and hands it to
// everything it calls; it must not be kept beyond the call. Other goroutines
// (main, handlers of a server) get one from [Current].
type Thread struct {
	_ [0]func() // not comparable
}

// Current returns a Thread for the calling goroutine, which is not part of any
// proclet. It is cheap; what is called through it gets and returns ordinary Go
// values. Before [Serve] was called it panics.
func Current() *Thread { panic("proclet: being written") }
