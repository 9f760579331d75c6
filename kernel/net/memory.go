package net

import (
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Rings live in blocks, one for each socket that moves data. Blocks are cut
// from chunks of anonymous memory, which are mapped when needed, so that want of
// memory shows here as an error and not in handler context as a fault, and kept
// for the next sockets.
const (
	streamRing   = 32 << 10 // each of a stream's two rings, bytes
	datagramRing = 64 << 10 // holds one datagram of any size
	chunkSize    = 1 << 20
)

// budget is how many more chunks may be mapped. A machine gives an eighth of its
// memory, which serves a thousand connections in 512 MiB; their queues in gVisor,
// should all be full, are four times that.
var budget atomic.Int64

func init() { budget.Store(256) }

// blockPool hands out blocks of one size.
type blockPool struct {
	size uintptr

	mu     sync.Mutex
	free   []uintptr
	chunks int
}

var (
	streamBlocks   = blockPool{size: 2 * streamRing}
	datagramBlocks = blockPool{size: 2 * datagramRing}
)

// take returns a block's address; ok is false when there is no memory.
func (p *blockPool) take() (base uintptr, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 && !p.grow() {
		return 0, false
	}
	base = p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	return base, true
}

func (p *blockPool) give(base uintptr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, base)
}

// grow maps a chunk, with frames behind all of it. It is called with mu held.
func (p *blockPool) grow() bool {
	if budget.Add(-1) < 0 {
		budget.Add(1)
		return false
	}
	m, ok := mapChunk()
	if !ok {
		budget.Add(1)
		return false
	}
	p.chunks++
	for at := uintptr(0); at < chunkSize; at += p.size {
		p.free = append(p.free, uintptr(unsafe.Pointer(&m[at])))
	}
	return true
}

func mapChunk() (m []byte, ok bool) {
	const madvPopulateWrite = 23
	m, err := syscall.Mmap(-1, 0, chunkSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, false
	}
	if err := syscall.Madvise(m, madvPopulateWrite); err != nil {
		syscall.Munmap(m)
		return nil, false
	}
	return m, true
}
