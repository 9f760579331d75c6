package proclet

import "testing"

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
