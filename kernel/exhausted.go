//go:build metal

package kernel

import (
	"syscall"

	"nuos/kernel/ramfs"
	"nuos/mm"
)

// The end of a program that touches memory when there is none left. Linux would pick
// a process and kill it; here is only one, so the console says what has taken the
// memory.

// Who holds memory: one of these, or the mappings with a name, whose numbers follow.
const (
	holdsFiles = iota
	holdsHeaps
	holdsDevices
	holdsTables
	holdsKernel
	holdsNameless // and what follows is named
)

var holders = [...]string{
	holdsFiles: "files", holdsHeaps: "heaps of proclets", holdsDevices: "buffers for devices",
	holdsTables: "page tables", holdsKernel: "the kernel", holdsNameless: "the program's memory without a name",
}

// holdings counts the pages of each. It is static because stacks are small.
type holdings [len(holders) + len(mappingNames)]uint64

var held holdings

// ranOut reports whether a fault could not be resolved because there is no memory. The
// first one ends the program.
func ranOut() bool { return space().Exhausted() != 0 }

// outOfMemory ends the program, because of what t has touched or had the kernel touch.
// Precondition: the kernel's lock is held.
func outOfMemory(t *thread) {
	const kib = mm.PageSize / 1024
	u := space().Usage()
	printString("\nnuos: out of memory: of ")
	printInt(int64(u.Total * kib))
	printString(" KiB, ")
	printInt(int64(u.Free * kib))
	printString(" are free; the others have\n")
	held.count(u)
	for range held {
		most := 0
		for i := range held {
			if held[i] > held[most] {
				most = i
			}
		}
		if held[most] == 0 {
			break
		}
		printColumn(held[most] * kib)
		printHolder(most)
		held[most] = 0
	}
	printFiles()
	if t != nil {
		printString("thread ")
		printInt(int64(t.tid))
		printString(" needs more:\n")
		printStack(t.ip, t.bp)
	}
	killed(int32(syscall.SIGKILL))
}

// count finds out who holds what.
func (h *holdings) count(u mm.Usage) {
	files := uint64(ramfs.Used().Pages)
	h[holdsFiles], h[holdsHeaps], h[holdsDevices] = files, u.Heaps, u.DMA
	h[holdsTables], h[holdsKernel] = u.PageTables, u.Kernel-min(files, u.Kernel)
	for at := mm.Virt(0); ; {
		a, found := space().AreaFrom(at)
		if !found {
			return
		}
		at = a.End()
		if !a.Program && !a.SharedFile {
			h[holdsNameless+int(a.Name)] += space().ResidentPages(a.Range)
		}
	}
}

func printHolder(i int) {
	if i <= holdsNameless {
		printString(holders[i])
	} else {
		name := mappingName(uint8(i - holdsNameless))
		for len(name) > 0 && name[0] == ' ' { // the Go runtime's begin with one
			name = name[1:]
		}
		printString("the program: ")
		printBytes(name)
	}
	printByte('\n')
}

// printFiles names the largest files.
func printFiles() {
	var largest [5]ramfs.Node
	n := ramfs.Largest(largest[:])
	if n == 0 {
		return
	}
	printString("the largest files have\n")
	for _, file := range largest[:n] {
		var s syscall.Stat_t
		file.Stat(&s)
		printColumn(uint64(s.Blocks) / 2)
		if from, e := file.NameOf(pathBuffer[:]); e == 0 {
			printBytes(pathBuffer[from:])
		} else {
			printString("a name that is too long")
		}
		printByte('\n')
	}
}

// printColumn prints a number of KiB, aligned to the right.
func printColumn(v uint64) {
	for limit := uint64(10); limit < 1e9; limit *= 10 {
		if v < limit {
			printByte(' ')
		}
	}
	printInt(int64(v))
	printString(" KiB  ")
}
