package proclet

import "sync/atomic"

// Once does something once in the life of a proclet. The zero value has not done
// it. It must not be copied after its first use.
type Once struct {
	done atomic.Bool
	mu   Mutex // held by the one who does it, and by those who wait for that
}

// Do calls f if it is the first call of Do for this Once. All calls return when
// that f has ended. If it panics, the call that it was in panics, and Do
// considers it done. f must not call Do again, which would wait for itself.
//
// Do panics with ErrHeapFull if it has to wait and the heap has no room for that.
func (o *Once) Do(t *Thread, f func()) {
	if !o.done.Load() {
		o.do(t, f)
	}
}

func (o *Once) do(t *Thread, f func()) {
	o.mu.Lock(t)
	defer o.mu.Unlock(t)
	if !o.done.Load() {
		defer o.done.Store(true)
		f()
	}
}
