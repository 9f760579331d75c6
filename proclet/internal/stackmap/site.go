package stackmap

import (
	"runtime"
	"slices"
	"sync"
)

// A site is what the check has to know about a frame that continues at one
// program counter: all of it follows from tables that never change, so it is
// worked out once. Offsets are from the frame's stack pointer.
type site struct {
	key     uintptr  // the program counter, and trapped
	size    uintptr  // from the stack pointer to the caller's
	live    []uint32 // words that hold live pointers
	firsts  []uint32 // words that could belong to one of those, as an interface value
	scalars uint32   // words below this hold anything but pointers
	objects []object // variables that are live if a pointer to them is
	flaw    string   // why a frame here can never be checked, or ""
	top     bool     // the outermost frame
	traps   bool     // its caller did not call it but failed

	reads sync.Map // remembers mayRead's answers by offset
}

// object is a variable whose address is taken.
type object struct {
	off      uint32
	size     uint32
	pointers []uint32 // offsets in the variable
	firsts   []uint32
}

func (o *object) contains(off int64) bool {
	return off >= int64(o.off) && off < int64(o.off)+int64(o.size)
}

// trapped marks, in a site's key, a frame that did not call the one below it
// but was stopped by a fault, so that it continues, if at all, with its
// deferred calls. No program counter has this bit.
const trapped = 1 << 63

func (s *site) pc() uintptr { return s.key &^ trapped }

// continues is where the frame goes on: 0 if it never will.
func (s *site) continues(f funcInfo) uintptr {
	switch {
	case s.key&trapped == 0:
		return s.pc()
	case f.deferreturn != 0:
		// One byte into the instruction, like a return address, of which one
		// is subtracted to get into the call.
		return f.entry() + uintptr(f.deferreturn) + 1
	default:
		return 0
	}
}

// newSite works out what there is to know about frames that continue at key.
// The rules are those of runtime/traceback.go (resolveInternal),
// runtime/stkframe.go (getStackMap) and runtime/mgcmark.go (scanframeworker).
func newSite(key uintptr) *site {
	s := &site{key: key}
	f := findfunc(s.pc())
	if f._func == nil {
		s.flaw = "a return address that belongs to no function"
		return s
	}
	delta, ok := f.value(f.pcsp, s.pc())
	s.top = f.flag&funcFlagTopFrame != 0
	s.traps = f.funcID == funcIDSigpanic
	switch {
	case !ok || delta < 0:
		s.flaw = "a frame of unknown size"
	case f.flag&funcFlagSPWrite != 0 && !s.top:
		s.flaw = "a frame of assembly code that moves its stack pointer"
	case f.funcID == funcIDAsyncPreempt, f.funcID == funcIDDebugCallV2:
		s.flaw = "registers that were saved where the compiler made no map"
	}
	if s.flaw != "" {
		return s
	}
	s.size = uintptr(delta) + 8 // with the return address
	if pc := s.continues(f); pc != 0 {
		s.flaw = s.readMaps(f, pc)
	}
	return s
}

// readMaps fills in the words and variables that are live when f continues
// at pc. It returns what is missing, or "".
func (s *site) readMaps(f funcInfo, pc uintptr) string {
	index := int32(0)
	if pc != f.entry() {
		// The map is that of the call which has not returned yet. There is
		// none in the prologue, where the first map is right.
		if v, ok := f.value(f.pcdata(pcdataStackMapIndex), pc-1); ok && v != -1 {
			index = v
		}
	}

	// From the top of a frame: the return address, the caller's frame
	// pointer if there is a frame, local variables that may hold pointers,
	// all others, arguments of calls.
	varp := s.size - 8
	if varp > 0 {
		varp -= 8
	}
	s.scalars = uint32(varp)
	if varp > 0 {
		locals, ok := f.bitmapAt(funcdataLocalsPointerMaps, index)
		if !ok || uintptr(locals.nbit)*8 > varp {
			return "local variables of which the compiler made no map"
		}
		s.scalars -= uint32(locals.nbit) * 8
		s.live, s.firsts = locals.words(s.scalars, s.live, s.firsts)
	}

	argp := s.size
	if f.args == argsSizeUnknown {
		switch runtime.FuncForPC(f.entry()).Name() {
		case "reflect.makeFuncStub", "reflect.methodValueCall":
			return "arguments of a function made by reflection"
		}
	} else if f.args >= 8 {
		args, ok := f.bitmapAt(funcdataArgsPointerMaps, index)
		if !ok {
			return "arguments of which the compiler made no map"
		}
		s.live, s.firsts = args.words(uint32(argp), s.live, s.firsts)
	}

	for _, r := range f.stackObjects() {
		off := int64(r.off) + int64(argp)
		if r.off < 0 {
			off = int64(r.off) + int64(varp)
		}
		if off < 0 {
			continue // not yet in the frame
		}
		o := object{off: uint32(off), size: uint32(r.size)}
		o.pointers, o.firsts = r.pointers(f.datap).words(0, nil, nil)
		s.objects = append(s.objects, o)
	}
	s.firsts = slices.DeleteFunc(s.firsts, s.otherwiseUsed)
	return ""
}

// otherwiseUsed reports whether the word at off belongs to a variable that has
// no interface value there. The live pointer above it is the next variable's
// then. Variables whose address is taken share their memory with no others.
func (s *site) otherwiseUsed(off uint32) bool {
	for i := range s.objects {
		if o := &s.objects[i]; o.contains(int64(off)) {
			return !slices.Contains(o.firsts, off-o.off)
		}
	}
	return false
}

// words adds the words whose bits are set to pointers, where off is the
// offset of the first bit's word. Each of them can be the second word of an
// interface value, unless what lies before it is a pointer itself: it adds
// the first words to firsts.
func (b bitmap) words(off uint32, pointers, firsts []uint32) ([]uint32, []uint32) {
	for i := range b.nbit {
		if !b.get(i) {
			continue
		}
		pointers = append(pointers, off+uint32(i)*8)
		if i > 0 && !b.get(i-1) {
			firsts = append(firsts, off+uint32(i)*8-8)
		}
	}
	return pointers, firsts
}
