// Package mm owns memory: physical frames, page tables, the address space and
// the heaps of proclets. It is the only package that knows addresses.
//
// In reading order:
//
//   - layout.go, addr.go: where everything is; the types of addresses
//   - frames.go, memorymap.go, zero.go, usage.go: the frame allocator (buddy
//     system), how a loader's memory map becomes its first runs, frames zeroed
//     ahead of time, and the books by owner
//   - entry.go, tables.go, translate.go, back.go, dma.go: page tables
//   - areas.go, space.go, protect.go, advise.go, remap.go, names.go, fault.go, files.go,
//     special.go, guard.go, linux.go: the address space and the memory system calls of the
//     program's runtime; a test makes them here and on Linux, and compares
//   - large.go: where anonymous memory has pages of 2 MiB
//   - seal.go, audit.go: memory is written or executed, at all of its addresses
//   - start.go, hooks.go, spinlock.go: what the kernel starts and gives
//   - memory.go, machine_metal.go, machine_hosted.go: the API for everybody
//     else and the two grounds under it; lend_hosted.go: frames at heap
//     addresses; window_hosted.go: small heaps
//   - stacks.go: memory for the stacks of threads
//   - heap.go and heap_*.go: the heap of a proclet: its blocks, its pages, how
//     it moves
//   - watch.go, watch_metal.go, watch_hosted.go, ranges.go: what is written in a heap while it is copied
//
// # Two grounds
//
// The allocator and the page tables are one code on both. On metal the
// processor reads the tables. Hosted, memory is a memfd that the direct map
// shows whole, physical addresses are offsets in it, and each change of the
// tables is repeated with mmap and mremap.
//
// # Invariants
//
//   - Every frame is booked to exactly one owner; Frames says how many each
//     has, at one moment. What is taken and given back leaves no trace.
//   - What is free in a heap, in whole pages, has at most half as many frames as
//     the rest of the heap, or 64 KiB, fragments of less than 256 KiB not counted.
//   - Every frame is handed out zeroed.
//   - A frame, a table or an address is used again only after all processors
//     have forgotten its old translation: unmapping collects, flushes, frees.
//   - A frame can be written or executed, not both, whatever addresses it has:
//     the direct map cannot write what is executed, nor the program's constants.
//     Nothing is mapped in the first 64 KiB. Audit looks at all translations.
//   - Freeing what is not in use, or another owner's, stops the machine: it is
//     a mistake in nuos, and going on would corrupt memory.
//
// # Kernel style
//
// All but the API for goroutines and the heaps runs in system-call and fault
// handlers, also before the Go runtime is up: no allocation, no maps, no
// interfaces, no write barriers, links by frame number instead of pointers.
// TestKernelCode (kernel) follows all calls of handlers to check that.
//
// Lock order: Space.mu, then frames.mu. Both turn interrupts off. Flush runs
// with Space.mu held; see Hooks.Relax for why that cannot deadlock.
//
// # Caveats
//
//   - Memory that is to be written and executed at a time is refused (EACCES), and so
//     are executable views of a file's own pages, which others may write.
//   - Pages that were mapped small stay small: nothing makes a large page of them
//     later but MADV_COLLAPSE, which gives them other frames.
//   - Memory is overcommitted, as on Linux: only a mapping of more than the machine
//     has is refused. A fault without a free frame is reported as a bad access, and
//     Space.Exhausted counts it; the kernel then says what has taken the memory, and ends
//     the program.
//   - Frames of unmapped memory stay resident in a hosted machine's memfd, those
//     of small pieces of heaps excepted.
//   - Hosted, there are at most 60,000 separate mappings. Pieces of heaps of up to
//     16 KiB need none of their own; a larger heap may use several.
//   - Memory of a heap that has been given back faults when it is touched. With the
//     build tag proclet_debug what is freed and still mapped is filled with a
//     pattern, and writing to it is noticed.
package mm
