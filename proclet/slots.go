package proclet

import (
	"encoding/binary"
	"sync"
	"time"
)

// slots are this machine's slots for calls to proclets on other machines; see
// onceTable.
type slots struct {
	mu      sync.Mutex
	seq     uint64 // last sequence number used; they never repeat in one incarnation
	targets map[ID]*target
	timer   *time.Timer // running if some slot is idle; nil otherwise
	flush   func()
}

// target is the slots for one proclet.
type target struct {
	idle []slot // those without a call; the last one was used last
	last uint32 // number of the newest slot
	live int    // slots that exist, idle or not
	lost bool   // slots that may be in use for ever have been given up: their numbers are not to come again
}

type slot struct {
	number uint32
	seq    uint64    // of its call, or of its last one
	keep   time.Time // until when it is not to be released
}

// strayLife is how long a message may be on its way that was sent again meanwhile: the
// other side remembers its call for so long, so as not to execute it then.
const strayLife = 2 * time.Minute

// releaseAfter is how long a slot may be idle, at least, before the other side
// is told that it need not keep the last answer.
const releaseAfter = 500 * time.Millisecond

// strays says that the message of sl's call may still be on its way somewhere.
func (sl *slot) strays() { sl.keep = time.Now().Add(strayLife) }

// take returns a slot for a new call, with the call's sequence number.
func (s *slots) take(id ID) slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.targets[id]
	if t == nil {
		if s.targets == nil {
			s.targets = map[ID]*target{}
		}
		t = &target{}
		s.targets[id] = t
	}
	s.seq++
	if n := len(t.idle); n > 0 {
		sl := t.idle[n-1]
		t.idle = t.idle[:n-1]
		sl.seq = s.seq
		return sl
	}
	t.last++
	t.live++
	return slot{number: t.last, seq: s.seq}
}

// put takes back the slot of a call that was answered.
func (s *slots) put(id ID, sl slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.targets[id]
	t.idle = append(t.idle, sl)
	if s.timer == nil {
		s.timer = time.AfterFunc(releaseAfter, s.flush)
	}
}

// takeIdle takes all slots without a call that can be released.
func (s *slots) takeIdle() map[ID][]slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = nil
	all := map[ID][]slot{}
	now := time.Now()
	for id, t := range s.targets {
		kept := t.idle[:0]
		for _, sl := range t.idle {
			if now.Before(sl.keep) {
				kept = append(kept, sl)
			} else {
				all[id] = append(all[id], sl)
			}
		}
		if t.idle = kept; len(kept) > 0 && s.timer == nil {
			s.timer = time.AfterFunc(releaseAfter, s.flush)
		}
	}
	return all
}

// drop ends the use of n slots that were taken: the other side has forgotten
// their calls.
func (s *slots) drop(id ID, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.targets[id]
	if t.live -= n; t.live == 0 && !t.lost {
		delete(s.targets, id)
	}
}

// lose ends the use of a slot that was taken for a call whose fate is not known: it may
// be executed for as long as the proclet lives, so the slot can never be used again.
func (s *slots) lose(id ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.targets[id]
	t.live--
	t.lost = true
}

// release tells the proclets that are not being called that their answers have
// arrived.
func (rt *Runtime) release() {
	for id, sls := range rt.slots.takeIdle() {
		b := appendID([]byte{messageRelease}, id)
		b = binary.AppendUvarint(b, uint64(len(sls)))
		for _, sl := range sls {
			b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(sl.number)), sl.seq)
		}
		rt.ask(id, b) // an error says that the entries are gone, or that nobody can reach them
		rt.slots.drop(id, len(sls))
	}
}
