package proclet

import (
	"testing"
	"testing/synctest"
	"time"
)

// The slot of a call that may go on for ever is not used again, also when all others
// have been given up in the meantime.
func TestLostSlot(t *testing.T) {
	var s slots
	id := ID{1, 1}
	lost := s.take(id)
	other := s.take(id)
	s.lose(id)
	s.drop(id, 1)
	for range 3 {
		if sl := s.take(id); sl.number == lost.number || sl.number == other.number {
			t.Errorf("slot %d is used again", sl.number)
		}
		s.drop(id, 1)
	}
}

// A slot is not released while the message of a call that was answered may still be on its
// way, also if it is used again meanwhile.
func TestStraySlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slots
		s.flush = func() {}
		id := ID{1, 1}
		sl := s.take(id)
		sl.strays()
		s.put(id, sl)
		if idle := s.takeIdle(); len(idle) != 0 {
			t.Errorf("%v are released", idle)
		}
		s.put(id, s.take(id))
		time.Sleep(strayLife)
		if idle := s.takeIdle(); len(idle[id]) != 1 {
			t.Errorf("%v are released", idle)
		}
	})
}
