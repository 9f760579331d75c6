package inspect

import "encoding/binary"

// maxFrames bounds stacks that do not end.
const maxFrames = 100

// stack is a list of calls, the innermost first.
type stack struct {
	places []place
	// interrupted has the stack pointers of the code that signals have
	// interrupted, which is on other stacks than their handlers.
	interrupted []uint64
}

// signalReturn is what a signal handler returns to. Its frame lies there.
const signalReturn = "runtime.sigreturn__sigaction"

// stack follows frame pointers from a processor's or a thread's registers: at BP
// lies the caller's BP, above it the address to return to. The frames of a stack
// grow upwards. A handler of a signal is followed by what it has interrupted.
func (m *Machine) stack(ip, bp uint64) (s stack) {
	if ip != 0 {
		s.places = append(s.places, m.symbols.places(ip+1)...)
	}
	for len(s.places) < maxFrames && bp != 0 && bp%8 == 0 {
		b, err := m.read(bp, 16)
		if err != nil {
			return s
		}
		next, back := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		if back == 0 {
			return s
		}
		if back == m.symbols.signalReturn {
			r := m.at(bp+8, "nuos/kernel.signalFrame").field("regs")
			s.places = append(s.places, place{function: "signal handler called"})
			s.places = append(s.places, m.symbols.places(r.field("ip").uint()+1)...)
			s.interrupted = append(s.interrupted, r.field("sp").uint())
			bp = r.field("bp").uint()
			continue
		}
		p := m.symbols.places(back)
		if len(p) == 0 {
			return s // no frame pointer, or none of ours
		}
		s.places = append(s.places, p...)
		if next <= bp {
			return s
		}
		bp = next
	}
	return s
}
