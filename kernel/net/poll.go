package net

import "nuos/kernel"

// poll brings the readiness of a socket up to date before the kernel tells a program of
// it: reads and writes report what becomes possible, and only one that fails with EAGAIN
// takes it back. Whatever is taken back here is reported again, as after EAGAIN. Handler
// context.
func (s *socket) poll(i int) int {
	if s.empty() {
		// In this order: the pump may store bytes at any time, but must wait
		// for this call to end before it can report them.
		s.wantIn.Store(true)
		if s.empty() {
			kernel.ClearReady(i, epollIn)
		} else {
			s.wantIn.Store(false)
		}
	}
	if s.full() {
		s.wantOut.Store(true)
		if s.full() {
			kernel.ClearReady(i, epollOut)
		} else {
			s.wantOut.Store(false)
		}
	}
	if !s.stream {
		if s.err.Load() == 0 && s.sendErr.Load() == 0 {
			kernel.ClearReady(i, epollErr)
		}
		if s.state.Load() == stateOpen {
			attend(i) // the pump brings the rings of a socket that is new
		}
	}
	return 0
}

// empty reports whether a read, or accept, would have to wait.
func (s *socket) empty() bool {
	switch st := s.state.Load(); {
	case st == stateReady || st == stateListening || st == stateOpen && !s.stream:
		// What the pump stores last is looked at first.
		over := s.eof.Load() || s.err.Load() != 0 || s.inShut.Load()
		return !over && s.rx.used() == 0
	}
	return false
}

// full reports whether a write to a stream would have to wait.
func (s *socket) full() bool {
	return s.stream && s.state.Load() == stateReady && !s.outShut.Load() && s.err.Load() == 0 && s.tx.free() == 0
}
