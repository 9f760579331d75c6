package fiber

import (
	"fmt"
	"unsafe"

	"nuos/mm"
)

// An image is a preamble, the header, the used part of the stack and the used part of
// the arena, one after the other, as they lie in memory. All machines of a rack
// run the same program and have the same byte order.
type preamble struct {
	magic uint64
	base  uintptr // of the region
	stack uintptr // bytes of the stack, from context.sp up to context.top and argSize
	arena uintptr // bytes of the arena, from arenaBase
}

const (
	imageMagic   = 0x3167_6d69_5f66_756e // "nuf_img1"
	preambleSize = unsafe.Sizeof(preamble{})
)

// Image returns f, which is detached or held, as bytes. f stays as it is.
func (f *Fiber) Image() []byte { return f.AppendImage(nil) }

// ImageSize returns how many bytes the image of f has, which is detached or held.
func (f *Fiber) ImageSize() uintptr {
	return preambleSize + HeaderSize + f.context.top + argSize - f.context.sp + f.arena - f.arenaBase
}

// AppendImage appends the image to b.
func (f *Fiber) AppendImage(b []byte) []byte {
	if f.carrier != 0 && !f.held {
		panic("fiber: image of an attached fiber")
	}
	return f.appendPart(b, &f.context, f.arenaBase, f.arena)
}

// appendPart appends the image of the part of the stack that c continues.
func (f *Fiber) appendPart(b []byte, c *context, arenaBase, arenaEnd uintptr) []byte {
	p := preamble{imageMagic, uintptr(f.Region().Base), c.top + argSize - c.sp, arenaEnd - arenaBase}
	b = append(b, unsafe.Slice((*byte)(unsafe.Pointer(&p)), preambleSize)...)
	at := len(b)
	b = append(b, f.header()...)
	h := headerAt(b, at)
	h.context = *c
	h.arenaBase, h.arena = arenaBase, arenaEnd
	h.carrier, h.held = 0, false
	h.parker.g.Store(0)
	if h.parker.state.Load() == held {
		h.parker.state.Store(awake)
	}
	b = append(b, bytesAt(c.sp, p.stack)...)
	return append(b, bytesAt(arenaBase, p.arena)...)
}

func bytesAt(p, n uintptr) []byte { return unsafe.Slice((*byte)(pointer(p)), n) }

// headerAt is the header at index i of b. It need not be aligned, which amd64 does
// not mind.
func headerAt(b []byte, i int) *Fiber { return (*Fiber)(unsafe.Pointer(&b[i : i+HeaderSize][0])) }

// Header returns the header inside an image, for the caller to read or change what
// lies behind the Fiber.
func Header(image []byte) []byte {
	return image[preambleSize : preambleSize+HeaderSize : preambleSize+HeaderSize]
}

// Thaw lays the image of a fiber down in its region, where it is detached and not
// kicked. Errors: ErrImage says what is wrong with the bytes, ErrOccupied. Nothing has
// been changed then.
//
// What can be told from the bytes is verified: sizes, bounds, where execution goes
// on, all frames and chains. What the frames hold cannot be.
func Thaw(image []byte) (*Fiber, error) {
	bad := func(what string) (*Fiber, error) { return nil, fmt.Errorf("%w: %s", ErrImage, what) }
	if !Movable {
		return nil, ErrNotMovable
	}
	if uintptr(len(image)) < preambleSize+HeaderSize {
		return bad("too short")
	}
	var p preamble
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&p)), preambleSize), image)
	if p.magic != imageMagic {
		return bad("magic number")
	}
	region := mm.Range{Base: mm.Virt(p.base), Size: RegionSize}
	if err := checkRegion(region); err != nil {
		return bad(err.Error())
	}
	if rest := uintptr(len(image)) - preambleSize - HeaderSize; p.stack > rest || p.arena != rest-p.stack {
		return bad("length")
	}
	f := at(p.base)
	var h Fiber
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&h)), unsafe.Sizeof(h)), Header(image))
	stack := image[preambleSize+HeaderSize:][:p.stack]
	if what := h.wrong(f, stack, p.arena); what != "" {
		return bad(what)
	}
	if err := f.take(); err != nil {
		return nil, err
	}
	copy(bytesAt(h.context.sp, p.stack), stack)
	copy(bytesAt(h.arenaBase, p.arena), image[preambleSize+HeaderSize+p.stack:])
	copy(f.header(), Header(image))
	f.kicked.Store(0)
	return f, nil
}

// wrong says what is wrong with the header h of an image that is to become f, or
// with its stack.
func (h *Fiber) wrong(f *Fiber, stack []byte, arenaSize uintptr) string {
	c, bottom := &h.context, uintptr(f.Region().Base)
	switch {
	case h.magic != inUse || h.carrier|h.parker.g.Load()|h.newer|h.older != 0 || h.parker.state.Load() > permit ||
		h.base < 0 || h.base > stackSize || *(*uint16)(unsafe.Pointer(&h.ended)) != 0: // and held
		return "header"
	case !static(h.entry):
		return "entry function"
	case h.arenaBase%8 != 0 || h.arenaBase < bottom || arenaSize > ArenaSize ||
		h.arena != h.arenaBase+arenaSize || h.arena > bottom+ArenaSize || h.arena%8 != 0:
		return "bounds of the arena"
	case c.lo != f.stackLo() || c.hi != f.stackHi() || c.sp%8 != 0 || c.sp < c.lo+stackGuard ||
		c.top > c.hi-topSpace || len(stack) < 16+argSize || c.top+argSize != c.sp+uintptr(len(stack)):
		return "bounds of the stack"
	}
	s := frozen{c.sp, stack}
	if c.pc != s.word(c.sp) || c.pc != leaveReturn && c.pc != sleepReturn && c.pc != callReturn && c.pc != runPC {
		return "where it goes on"
	}
	return s.wrong(c)
}

// argSize is how much of the frame below belongs to the outermost function of a part:
// where it may spill its argument, by Go's calling convention.
const argSize = 8

// frozen is the stack in an image: bytes that belong at address lo. There are three
// words at least.
type frozen struct {
	lo    uintptr
	bytes []byte
}

// holds reports whether n bytes at p, an aligned address, are on the stack.
func (s *frozen) holds(p, n uintptr) bool {
	size := uintptr(len(s.bytes))
	return p%8 == 0 && p >= s.lo && n <= size && p-s.lo <= size-n
}

func (s *frozen) at(p uintptr) unsafe.Pointer { return unsafe.Pointer(&s.bytes[p-s.lo]) }

func (s *frozen) word(p uintptr) uintptr { return *(*uintptr)(s.at(p)) }

func (s *frozen) set(p, v uintptr) { *(*uintptr)(s.at(p)) = v }

// wrong follows the frames, which must end at base, and the two chains, whose
// records must lie on the stack.
func (s *frozen) wrong(c *context) string {
	text, etext, _, _ := programBounds()
	last := c.sp // address of the return address of the last frame
	for p := c.bp; p != 0; p = s.word(p) {
		if !s.holds(p, 16) || p < last {
			return "chain of frames"
		}
		last = p + 8
		if pc := s.word(last); pc < text || pc >= etext {
			return "return address"
		}
	}
	if c.bp == 0 {
		last = c.sp + 8
	}
	if last != c.top-8 || s.word(last) != basePC {
		return "outermost frame"
	}
	d, p := c.deferred, c.panicked
	for n := 0; d != 0 || p != 0; n++ {
		if n == len(s.bytes) {
			return "endless chain"
		}
		if d != 0 {
			if !s.holds(d, unsafe.Sizeof(deferRecord{})) || (*deferRecord)(s.at(d)).heap {
				return "chain of deferred calls"
			}
			d = (*deferRecord)(s.at(d)).link
		}
		if p != 0 {
			if !s.holds(p, unsafe.Sizeof(panicRecord{})) {
				return "chain of panics"
			}
			p = (*panicRecord)(s.at(p)).link
		}
	}
	return ""
}

// leaveReturn is the address that all who have left go on at.
var leaveReturn = func() uintptr {
	var c context
	leave(&c, &c)
	return c.pc
}()
