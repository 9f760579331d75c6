//go:build !metal

package net

import (
	"encoding/binary"
	"syscall"
	"testing"
	"unsafe"

	"nuos/kernel"
)

// window is memory for hostile arguments, at a fixed address so that seeds can
// point into it. The pages around it must not be touched.
var window = mapWindow()

const (
	windowAt   = 0x7_0000_0000
	windowSize = 2 * 4096
)

func mapWindow() []byte {
	mmap := func(at, size, protection uintptr) {
		const noReplace = 0x100000
		got, _, e := syscall.Syscall6(syscall.SYS_MMAP, at, size, protection,
			syscall.MAP_ANON|syscall.MAP_PRIVATE|noReplace, ^uintptr(0), 0)
		if e != 0 || got != at {
			panic(e)
		}
	}
	mmap(windowAt-4096, 4096, syscall.PROT_NONE)
	mmap(windowAt, windowSize, syscall.PROT_READ|syscall.PROT_WRITE)
	mmap(windowAt+windowSize, 4096, syscall.PROT_NONE)
	base := uintptr(windowAt)
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&base))), windowSize)
}

// FuzzCalls makes each call with arbitrary arguments on sockets of every kind.
// Whatever they are, it returns a result or an errno, and the sockets can be
// closed afterwards.
func FuzzCalls(f *testing.F) {
	vec := func(parts ...uint64) (b []byte) {
		for _, p := range parts {
			b = binary.LittleEndian.AppendUint64(b, p)
		}
		return b
	}
	const in, out = windowAt, windowAt + windowSize
	name := []byte("\x02\x00\x00\x50\x7f\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00")
	for nr := range fuzzedCalls {
		f.Add(nr, uint64(in), uint64(16), uint64(0), uint64(in), uint64(in+16), name)
		f.Add(nr, uint64(in), uint64(in+16), uint64(0), uint64(0), uint64(0), name)
		f.Add(nr, uint64(out-8), uint64(16), uint64(2), uint64(out-8), uint64(out-2), name)
		f.Add(nr, uint64(out), uint64(1<<40), uint64(0xff), uint64(1), uint64(1<<63), name)
		f.Add(nr, uint64(in), uint64(3), uint64(0), uint64(0), uint64(0), vec(in, 16, out-4, 8, 0, 0))
		f.Add(nr, uint64(in), uint64(2), uint64(0), uint64(0), uint64(0), vec(in, 1<<62, in, 1<<62))
		f.Add(nr, uint64(in), uint64(0), uint64(0), uint64(0), uint64(0), vec(in+64, 16, in+56, 1, 0, 1<<60, 0, in, 8))
		f.Add(nr, uint64(in), uint64(0), uint64(0), uint64(0), uint64(0), vec(0, 1<<40, in, 1<<20, in, 0))
		f.Add(nr, uint64(1), uint64(9), uint64(in), uint64(4), uint64(in), name)
		f.Add(nr, uint64(6), uint64(1), uint64(in), uint64(in+16), uint64(0), name)
	}
	f.Fuzz(func(t *testing.T, nr int, a, b, c, d, e uint64, memory []byte) {
		clear(window)
		copy(window, memory)
		l, err := listenOn(addr(loopbackNet, 0), 1)
		if err != nil {
			t.Fatal(err)
		}
		listens, _ := l.name(syscall.SYS_GETSOCKNAME)
		connected, err := dialTo(listens)
		if err != nil {
			t.Fatal(err)
		}
		datagram, self := bound(t, addr(loopbackNet, 0))
		if err := datagram.sendTo([]byte("something to read"), self); err != nil {
			t.Fatal(err)
		}
		fresh, err := newSocket(syscall.SOCK_STREAM)
		if err != nil {
			t.Fatal(err)
		}
		call := fuzzedCalls[uint(nr)%uint(len(fuzzedCalls))]
		all := []fd{l, connected, datagram, fresh}
		for _, s := range all {
			n := kernel.Invoke(call, int(s), true, uintptr(s), uintptr(a), uintptr(b), uintptr(c), uintptr(d), uintptr(e))
			if n < -4095 {
				t.Errorf("call %d = %d", call, n)
			}
			if call == syscall.SYS_ACCEPT4 && n >= 0 {
				fd(n).Close()
			}
		}
		for _, s := range all {
			s.Close()
		}
		settle(t)
	})
}

var fuzzedCalls = []uintptr{
	syscall.SYS_READ, syscall.SYS_WRITE, syscall.SYS_READV, syscall.SYS_WRITEV, syscall.SYS_RECVFROM,
	syscall.SYS_SENDTO, syscall.SYS_RECVMSG, syscall.SYS_SENDMSG, syscall.SYS_ACCEPT4, syscall.SYS_BIND,
	syscall.SYS_LISTEN, syscall.SYS_CONNECT, syscall.SYS_SHUTDOWN, syscall.SYS_GETSOCKNAME,
	syscall.SYS_GETPEERNAME, syscall.SYS_GETSOCKOPT, syscall.SYS_SETSOCKOPT, syscall.SYS_IOCTL,
	syscall.SYS_RECVMMSG, kernel.SysSendmmsg,
}
