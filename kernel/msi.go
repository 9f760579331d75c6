//go:build metal

package kernel

import (
	"sync/atomic"
	"syscall"
)

// Device interrupts are messages (MSI, MSI-X) and nothing else: a write to the
// address of a local APIC with the vector as data (SDM vol. 3, 11.11). Each
// vector makes one eventfd readable, so that a goroutine can wait for it.

var msi [vecLastMSI + 1]int32 // file of the eventfd and 1, by vector

// allocMSI returns the vector and, above it, the identity of an APIC. Messages
// have room for eight bits of that; processor 0 is one of those.
func allocMSI(eventfd int32) uint64 {
	f := fileOf(eventfd)
	if f == nil || f.kind != fileEvent {
		return errno(eBADF)
	}
	for v := vecFirstMSI; v <= vecLastMSI; v++ {
		if msi[v] == 0 {
			msi[v] = fds[eventfd]
			f.refs++ // the file stays for the interrupt's sake
			return uint64(cpus[0].apic)<<8 | uint64(v)
		}
	}
	return errno(syscall.ENOSPC)
}

func deviceInterrupt(v int32) {
	if msi[v] == 0 {
		stats.strayInterrupts++
		return
	}
	signalEventFile(&files[msi[v]-1])
}

// Words that idle processors watch.
const maxWatched = 16

type watched struct {
	addr atomic.Uintptr // of a uint16 in memory that devices write; 0: none
	seen atomic.Uint32
	file int32

	alone bool // there is no interrupt behind it
}

var watch [maxWatched]watched

// lookEvery is how often processor 0 looks at the words, in ns, if there is one without
// an interrupt behind it: what a machine that has something else to do, or has halted,
// is late by at most. It costs an interrupt of the timer each time.
const lookEvery = 1e6

// lookAt is when it looks next; 0: all words have interrupts.
var lookAt atomic.Int64

func watchWord(addr uintptr, eventfd int32, alone bool) uint64 {
	f := fileOf(eventfd)
	if f == nil || f.kind != fileEvent {
		return errno(eBADF)
	}
	for i := range watch {
		if w := &watch[i]; w.addr.Load() == 0 {
			w.file, w.alone = fds[eventfd], alone
			f.refs++
			w.seen.Store(uint32(*(*uint16)(pointer(addr))))
			w.addr.Store(addr)
			if alone {
				lookAt.Store(nanotime() + lookEvery)
				cpus[0].kick() // to set its timer
			}
			return 0
		}
	}
	return errno(syscall.ENOSPC)
}

func unwatchWord(addr uintptr) uint64 {
	for i := range watch {
		if w := &watch[i]; w.addr.Load() == addr {
			w.addr.Store(0)
			files[w.file-1].refs--
			if w.alone {
				stopLooking()
			}
			return 0
		}
	}
	return errno(syscall.ENOENT)
}

// stopLooking ends the looks of processor 0 if all words that are left have interrupts.
func stopLooking() {
	for i := range watch {
		if w := &watch[i]; w.addr.Load() != 0 && w.alone {
			return
		}
	}
	lookAt.Store(0)
}

// watchChanged reports whether a watched word has changed. No lock is held.
func watchChanged() bool {
	for i := range watch {
		w := &watch[i]
		if addr := w.addr.Load(); addr != 0 && uint32(load16(addr)) != w.seen.Load() {
			return true
		}
	}
	return false
}

// signalWatched makes the eventfds of changed words readable.
// Precondition: the kernel's lock is held.
func signalWatched() {
	for i := range watch {
		w := &watch[i]
		addr := w.addr.Load()
		if addr == 0 {
			continue
		}
		if now := uint32(load16(addr)); now != w.seen.Load() {
			w.seen.Store(now)
			stats.watched++
			signalEventFile(&files[w.file-1])
		}
	}
}

// load16 reads a word that a device writes. The direct map never goes away, so
// a read after UnwatchWord is harmless.
func load16(addr uintptr) uint16 { return *(*uint16)(pointer(addr)) }
