package stackmap

import "unsafe"

// Reading the tables that the linker made for a function. The encodings are
// those of runtime/symtab.go.

// entry is the address of f's first instruction.
func (f funcInfo) entry() uintptr { return f.datap.text + uintptr(f.entryOff) }

// runs calls yield for each run of instructions [from, to) of f that have one
// value in the table at off of pctab, in order, until it returns false.
func (f funcInfo) runs(off uint32, yield func(from, to uintptr, value int32) bool) {
	if off == 0 {
		return // there is no table
	}
	p := f.datap.pctab[off:]
	pc, value := f.entry(), int32(-1)
	for first := true; ; first = false {
		delta, n := uvarint(p)
		if delta == 0 && !first {
			return
		}
		p = p[n:]
		value += int32(-(delta & 1) ^ delta>>1)
		length, n := uvarint(p)
		p = p[n:]
		from := pc
		pc += uintptr(length)
		if !yield(from, pc, value) {
			return
		}
	}
}

// end is the address after f's last instruction.
func (f funcInfo) end() (end uintptr) {
	f.runs(f.pcsp, func(_, to uintptr, _ int32) bool { end = to; return true })
	return end
}

// value is what the table at off of pctab says about the instruction at pc,
// and whether it says anything.
func (f funcInfo) value(off uint32, pc uintptr) (value int32, ok bool) {
	f.runs(off, func(_, to uintptr, v int32) bool {
		value, ok = v, pc < to
		return !ok
	})
	return value, ok
}

// uvarint decodes a number of seven bits per byte, the least significant
// first, and says how many bytes it took.
func uvarint(p []byte) (v uint32, n int) {
	for shift := uint(0); ; shift += 7 {
		b := p[n]
		n++
		v |= uint32(b&0x7f) << (shift & 31)
		if b&0x80 == 0 {
			return v, n
		}
	}
}

// tail is the i-th of the numbers that follow f: npcdata offsets of pcdata
// tables, then nfuncdata offsets of funcdata.
func (f funcInfo) tail(i uint32) uint32 {
	return *(*uint32)(unsafe.Add(unsafe.Pointer(f._func), unsafe.Sizeof(_func{})+uintptr(i)*4))
}

// pcdata is the offset in pctab of f's table, 0 for none.
func (f funcInfo) pcdata(table uint32) uint32 {
	if table >= f.npcdata {
		return 0
	}
	return f.tail(table)
}

// funcdata is the address of f's table, nil for none.
func (f funcInfo) funcdata(table uint8) unsafe.Pointer {
	if table >= f.nfuncdata {
		return nil
	}
	off := f.tail(f.npcdata + uint32(table))
	if off == ^uint32(0) {
		return nil
	}
	return at(f.datap.gofunc + uintptr(off))
}

// bitmap is nbit bits.
type bitmap struct {
	nbit int
	bits *byte
}

func (b bitmap) get(i int) bool {
	return *(*byte)(unsafe.Add(unsafe.Pointer(b.bits), i/8))>>(i%8)&1 != 0
}

// bitmapAt is the i-th bitmap of f's table. ok is false if f has no table or
// the table has no such bitmap.
func (f funcInfo) bitmapAt(table uint8, i int32) (b bitmap, ok bool) {
	m := (*stackmap)(f.funcdata(table))
	if m == nil || m.n <= 0 {
		return bitmap{}, false
	}
	if m.nbit == 0 {
		return bitmap{}, true
	}
	if i < 0 || i >= m.n {
		return bitmap{}, false
	}
	return bitmap{int(m.nbit), (*byte)(unsafe.Add(unsafe.Pointer(&m.bytedata), int(i)*int((m.nbit+7)/8)))}, true
}

// stackObjects are the records of f's address-taken variables with pointers.
func (f funcInfo) stackObjects() []stackObjectRecord {
	p := f.funcdata(funcdataStackObjects)
	if p == nil {
		return nil
	}
	return unsafe.Slice((*stackObjectRecord)(unsafe.Add(p, 8)), *(*uintptr)(p))
}

// pointers says which words of r's variable are pointers.
func (r *stackObjectRecord) pointers(m *moduledata) bitmap {
	return bitmap{int(r.ptrBytes / 8), (*byte)(at(m.rodata + uintptr(r.gcdataoff)))}
}
