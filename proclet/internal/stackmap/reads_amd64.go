package stackmap

import (
	"runtime"
	"sort"
	"strings"
	"unsafe"

	"golang.org/x/arch/x86/x86asm"
)

// The compiler maps pointers only. Whether another word of a frame is still
// in use is in no table, but in the function's code: the word is, if there is
// a way through the code, from where the frame continues, to an instruction
// that reads it, without one before that overwrites it. This matters for the
// few words that look like the first word of an interface value, of which
// most are left over from calls long ago.

// mayRead reports whether the word at off may be read when the frame
// continues, as the first word of an interface value. It is exact enough to
// be relied on if it says no.
func (s *site) mayRead(off uintptr) bool {
	if answer, ok := s.reads.Load(off); ok {
		return answer.(bool)
	}
	answer := newReading(s, int64(off)).reachesRead()
	s.reads.Store(off, answer)
	return answer
}

// A reading is a walk through the code of a function in search of what reads
// the word at off of a frame.
type reading struct {
	*site
	off   int64
	split bool // the word is not part of a variable in memory

	entry, end, deferreturn uintptr
	depths                  []depth
	seen                    []bool    // by offset from entry
	todo                    []uintptr // addresses of instructions
	tables                  bool      // what the jump tables lead to is in todo, or was
}

// depth says how far the stack pointer is below the return address for the
// instructions before to that are not in an earlier depth.
type depth struct {
	to    uintptr
	bytes int64
}

func newReading(s *site, off int64) *reading {
	f := findfunc(s.pc())
	r := &reading{site: s, off: off, split: off < int64(s.scalars), entry: f.entry()}
	if f.deferreturn != 0 {
		r.deferreturn = r.entry + uintptr(f.deferreturn)
	}
	f.runs(f.pcsp, func(_, to uintptr, bytes int32) bool {
		r.depths = append(r.depths, depth{to, int64(bytes)})
		return true
	})
	r.end = f.end()
	r.seen = make([]bool, r.end-r.entry)
	return r
}

// moved is how far the stack pointer at pc is above that of the frame.
func (r *reading) moved(pc uintptr) int64 {
	i := sort.Search(len(r.depths), func(i int) bool { return pc < r.depths[i].to })
	return int64(r.size) - 8 - r.depths[i].bytes
}

// visit adds the instruction at pc to those to look at. Outside of the
// function the frame is gone.
func (r *reading) visit(pc uintptr) {
	if pc >= r.entry && pc < r.end && !r.seen[pc-r.entry] {
		r.seen[pc-r.entry] = true
		r.todo = append(r.todo, pc)
	}
}

// reachesRead reports whether the code from where the frame continues gets to
// something that may read the word. A function with deferred calls can also
// continue with those, after a panic.
func (r *reading) reachesRead() bool {
	for i := range r.objects {
		if r.objects[i].contains(r.off) {
			return true // read through pointers, which can be anywhere
		}
	}
	if r.key&trapped == 0 {
		r.visit(r.pc())
	}
	if r.deferreturn != 0 {
		r.visit(r.deferreturn)
	}
	for len(r.todo) > 0 {
		pc := r.todo[len(r.todo)-1]
		r.todo = r.todo[:len(r.todo)-1]
		inst, ok := r.decode(pc)
		if !ok {
			return true
		}
		switch r.effect(inst, r.moved(pc)) {
		case reads:
			return true
		case overwrites:
			continue
		}
		if !r.follow(inst, pc) {
			return true
		}
	}
	return false
}

// decode returns the instruction at pc. ok is false if the decoder does not
// know it.
func (r *reading) decode(pc uintptr) (inst x86asm.Inst, ok bool) {
	inst, err := x86asm.Decode(unsafe.Slice((*byte)(at(pc)), min(15, r.end-pc)), 64)
	return inst, err == nil && !vex(inst)
}

// follow visits the instructions that come after inst, which is at pc. It
// reports false if they cannot be told.
func (r *reading) follow(inst x86asm.Inst, pc uintptr) bool {
	next := pc + uintptr(inst.Len)
	target, relative := inst.Args[0].(x86asm.Rel)
	switch inst.Op {
	case x86asm.RET, x86asm.UD2, x86asm.INT:
	case x86asm.CALL:
		if !relative || !panics(next+uintptr(target)) {
			r.visit(next)
		}
	case x86asm.JMP:
		if !relative {
			return r.tables || r.visitTables()
		}
		r.visit(next + uintptr(target))
	default:
		r.visit(next)
		if relative {
			r.visit(next + uintptr(target))
		}
	}
	return true
}

// visitTables visits what the function's jump tables lead to, all of them: it
// takes the jump through one for a jump through any. It reports whether there
// is one. A table is an array of addresses of instructions of the function,
// and the only thing of this kind that its code takes the address of.
func (r *reading) visitTables() bool {
	for pc := r.entry; pc < r.end; {
		inst, ok := r.decode(pc)
		if !ok {
			return false
		}
		pc += uintptr(inst.Len)
		m, ok := inst.Args[1].(x86asm.Mem)
		if !ok || inst.Op != x86asm.LEA || m.Base != x86asm.RIP {
			continue
		}
		for p := pc + uintptr(m.Disp); p%8 == 0 && p-image.lo < image.size; p += 8 {
			target := load(p)
			if target <= r.entry || target >= r.end {
				break
			}
			r.visit(target)
			r.tables = true
		}
	}
	return r.tables
}

// vex reports whether inst is one of the newer vector instructions. The
// decoder takes those that it does not know for others.
func vex(inst x86asm.Inst) bool {
	for _, p := range inst.Prefix {
		if p.IsVEX() {
			return true
		}
	}
	return false
}

// panics reports whether the function at pc is one that the compiler calls to
// panic, which does not return.
func panics(pc uintptr) bool {
	f := findfunc(pc)
	if f._func == nil {
		return false
	}
	name, is := strings.CutPrefix(runtime.FuncForPC(f.entry()).Name(), "runtime.panic")
	return f.funcID == funcIDGopanic || is && !strings.HasPrefix(name, "Check")
}

type effect int

const (
	ignores effect = iota
	reads
	overwrites
)

// effect is what inst does to the word, where moved is how far the stack
// pointer has moved up. Calls find their arguments where their caller has
// written them just before, so they read nothing that was there already.
func (r *reading) effect(inst x86asm.Inst, moved int64) effect {
	for i, arg := range inst.Args {
		m, ok := arg.(x86asm.Mem)
		switch {
		case !ok || inst.Op == x86asm.NOP:
			continue
		case m.Base == x86asm.RBP:
			return reads // the compiler never does this
		case m.Base != x86asm.RSP:
			continue
		}
		from := m.Disp + moved
		to := from + int64(inst.MemBytes)
		switch {
		case m.Index != 0:
			if !r.split {
				return reads // where it leads to depends on more than this offset
			}
		case inst.Op == x86asm.LEA:
			if !r.split && !r.apart(from) {
				return reads
			}
		case r.off+8 <= from || r.off >= to || inst.MemBytes < 8: // no part of a pointer
		case i != 0 || !stores[inst.Op]:
			return reads
		case from <= r.off && r.off+8 <= to:
			return overwrites
		}
	}
	if inst.Op == x86asm.POP && r.off == moved {
		return reads
	}
	return ignores
}

// apart reports whether the variable that off is in is not the word's: with its
// address nobody gets to the word.
func (r *reading) apart(off int64) bool {
	if off < int64(r.scalars) || off < int64(r.size) != (r.off < int64(r.size)) {
		return true // one without pointers; or one is an argument, the other is not
	}
	for i := range r.objects {
		if r.objects[i].contains(off) {
			return true
		}
	}
	return false
}

// stores are the instructions that write their first operand, of eight bytes
// or more, without reading it.
var stores = map[x86asm.Op]bool{
	x86asm.MOV: true, x86asm.MOVQ: true, x86asm.MOVUPS: true, x86asm.MOVUPD: true,
	x86asm.MOVAPS: true, x86asm.MOVAPD: true, x86asm.MOVDQU: true, x86asm.MOVDQA: true,
	x86asm.MOVSD_XMM: true,
}
