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

// stackOf is the stack of a processor or a thread with these registers. At the first
// instruction of a function, and in the way into a signal handler, there is no frame
// yet.
func (m *Machine) stackOf(r registers) stack {
	f := m.symbols.functions.PCToFunc(r.IP)
	switch {
	case f != nil && f.Entry == r.IP && m.peek(r.SP) != m.symbols.signalReturn:
		s := stack{places: m.symbols.places(r.IP + 1)}
		return m.follow(s, m.peek(r.SP), r.BP)
	case f != nil && f.Name == "runtime.sigtramp":
		const most = 32 // words that it pushes
		for at := r.SP; at < r.SP+8*most; at += 8 {
			if m.peek(at) == m.symbols.signalReturn {
				s := stack{places: m.symbols.places(r.IP + 1)}
				return m.interruptedBy(s, at)
			}
		}
	}
	return m.stack(r.IP, r.BP)
}

// stack is a stack by the address of an instruction and the frame pointer there.
func (m *Machine) stack(ip, bp uint64) (s stack) {
	if ip == 0 {
		return m.follow(s, 0, bp)
	}
	return m.follow(s, ip+1, bp)
}

// interruptedBy goes on with what a signal has interrupted, whose frame is at an
// address.
func (m *Machine) interruptedBy(s stack, at uint64) stack {
	frame := m.at(at, "nuos/kernel.signalFrame")
	if _, err := m.read(at, int(frame.typ.Size())); err != nil {
		return s
	}
	r := frame.field("regs")
	s.places = append(s.places, place{function: "signal handler called"})
	s.interrupted = append(s.interrupted, r.field("sp").uint())
	return m.follow(s, r.field("ip").uint()+1, r.field("bp").uint())
}

// follow adds the function with the return address pc, if it is not 0, and follows
// frame pointers from there: at BP lies the caller's BP, above it the address to
// return to. The frames of a stack grow upwards. A handler of a signal is followed by
// what it has interrupted.
func (m *Machine) follow(s stack, pc, bp uint64) stack {
	if pc != 0 {
		s.places = append(s.places, m.symbols.places(pc)...)
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
			return m.interruptedBy(s, bp+8)
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
