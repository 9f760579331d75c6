package net

import (
	"syscall"

	"nuos/kernel"
)

// What the program passes by address. It is read with kernel.CopyIn and nothing
// about it is believed: another thread may change it between two looks, so what
// a first look found only bounds what is done, and never what is written where.
// Handler context.

func wordAt(addr uintptr) (v uint32, ok bool) {
	var b [4]byte
	ok = kernel.CopyIn(b[:], addr)
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24, ok
}

func putWord(addr uintptr, v uint32) bool {
	var b [4]byte
	putUint32(b[:], v)
	return kernel.CopyOut(addr, b[:])
}

func putUint32(b []byte, v uint32) {
	b[0], b[1], b[2], b[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}

func longAt(b []byte) uintptr {
	v := uintptr(0)
	for i := 7; i >= 0; i-- {
		v = v<<8 | uintptr(b[i])
	}
	return v
}

// pieces are ranges of the program's memory: one, or those of an array of
// struct iovec.
type pieces struct {
	addr, size uintptr // the current one
	vec        uintptr // the array's rest
	left       uintptr // how many are in it
}

const maxPieces = 1024 // UIO_MAXIOV

func onePiece(addr, size uintptr) pieces { return pieces{addr: addr, size: size} }

// manyPieces starts on an array and returns the sum of the sizes too.
func manyPieces(vec, n uintptr) (p pieces, total uintptr, e syscall.Errno) {
	if n > maxPieces {
		return p, 0, syscall.EMSGSIZE
	}
	p = pieces{vec: vec, left: n}
	for q := p; ; {
		more, ok := q.next()
		if !ok {
			return p, 0, syscall.EFAULT
		}
		if !more {
			return p, total, 0
		}
		if total += q.size; q.size > 1<<47 || total > 1<<31-1 {
			return p, 0, syscall.EINVAL
		}
	}
}

// next goes to the next range; more is false when there is none, ok is false
// when the array cannot be read.
func (p *pieces) next() (more, ok bool) {
	if p.left == 0 {
		return false, true
	}
	var b [16]byte
	if !kernel.CopyIn(b[:], p.vec) {
		return false, false
	}
	p.addr, p.size = longAt(b[:]), longAt(b[8:])
	p.vec += 16
	p.left--
	return true, true
}

// fill copies up to n bytes into r at pos; it returns how many there were.
func (p *pieces) fill(r *ring, pos, n uint32) (done uint32, ok bool) {
	return p.move(r, pos, n, (*ring).putUser)
}

// empty copies up to n bytes from r at pos; it returns how many found room.
func (p *pieces) empty(r *ring, pos, n uint32) (done uint32, ok bool) {
	return p.move(r, pos, n, (*ring).getUser)
}

func (p *pieces) move(r *ring, pos, n uint32, step func(r *ring, pos uint32, addr uintptr, n uint32) bool) (done uint32, ok bool) {
	for done < n {
		if p.size == 0 {
			more, ok := p.next()
			if !ok {
				return done, false
			}
			if !more {
				break
			}
			continue
		}
		m := uint32(min(p.size, uintptr(n-done)))
		if !step(r, pos+done, p.addr, m) {
			return done, false
		}
		p.addr += uintptr(m)
		p.size -= uintptr(m)
		done += m
	}
	return done, true
}

// message is a struct msghdr.
type message struct {
	at             uintptr
	name, nameSize uintptr
	data           pieces
	total          uintptr

	control, controlSize uintptr
}

const (
	msghdrSize     = 56
	msghdrNameSize = 8  // offset of msg_namelen
	msghdrControl  = 40 // offset of msg_controllen
	msghdrFlags    = 48 // offset of msg_flags
)

func messageAt(addr uintptr) (m message, e syscall.Errno) {
	var b [msghdrSize]byte
	if !kernel.CopyIn(b[:], addr) {
		return m, syscall.EFAULT
	}
	m.at = addr
	m.name = longAt(b[0:])
	m.nameSize = longAt(b[8:]) & 0xffffffff
	m.control, m.controlSize = longAt(b[32:]), longAt(b[msghdrControl:])
	m.data, m.total, e = manyPieces(longAt(b[16:]), longAt(b[24:]))
	return m, e
}
