//go:build metal

package kernel

import (
	"unsafe"

	"nuos/boot"
	"nuos/kernel/internal/x86"
	"nuos/mm"
)

// What the generated files tell, in the formats of proc(5). Fields of Linux that
// have no meaning here are left out where the format allows it, and 0 where it
// does not.

func (r *report) cpuinfo() {
	for i := range numCPUs {
		r.text("processor\t: ")
		r.line(uint64(i))
		r.text("vendor_id\t: ")
		_, b, c, d := x86.CPUID(0, 0)
		for _, word := range [...]uint32{b, d, c} {
			r.word(word)
		}
		a, _, _, _ := x86.CPUID(1, 0)
		family, model := a>>8&15, a>>4&15
		if family == 6 || family == 15 {
			model += a >> 12 & 0xF0
		}
		if family == 15 {
			family += a >> 20 & 0xFF
		}
		r.text("\ncpu family\t: ")
		r.line(uint64(family))
		r.text("model\t\t: ")
		r.line(uint64(model))
		r.text("model name\t: ")
		if most, _, _, _ := x86.CPUID(0x80000000, 0); most >= 0x80000004 {
			for leaf := uint32(0x80000002); leaf <= 0x80000004; leaf++ {
				a, b, c, d := x86.CPUID(leaf, 0)
				for _, word := range [...]uint32{a, b, c, d} {
					r.word(word)
				}
			}
		}
		r.text("\nstepping\t: ")
		r.line(uint64(a & 15))
		hz := fixedMul(clock.perNano, 1e9)
		r.text("cpu MHz\t\t: ")
		r.decimal(hz / 1e6)
		r.byte('.')
		r.number(hz/1e3%1e3, 10, 3)
		r.text("\nphysical id\t: 0\nsiblings\t: ")
		r.line(uint64(numCPUs))
		r.text("core id\t\t: ")
		r.line(uint64(i))
		r.text("cpu cores\t: ")
		r.line(uint64(numCPUs))
		r.byte('\n')
	}
}

// word writes four bytes of text, as CPUID gives it.
func (r *report) word(w uint32) {
	for ; w != 0; w >>= 8 {
		r.byte(byte(w))
	}
}

func (r *report) processors() {
	r.text("0")
	if numCPUs > 1 {
		r.byte('-')
		r.decimal(uint64(numCPUs) - 1)
	}
	r.byte('\n')
}

func (r *report) meminfo() {
	const kib = mm.PageSize / 1024
	u := space().Usage()
	r.field("MemTotal", u.Total*kib, " kB")
	r.field("MemFree", u.Free*kib, " kB")
	r.field("MemAvailable", u.Free*kib, " kB")
	r.field("Buffers", 0, " kB")
	r.field("Cached", 0, " kB")
	r.field("SwapTotal", 0, " kB")
	r.field("SwapFree", 0, " kB")
	r.field("AnonPages", (u.Program+u.Heaps)*kib, " kB")
	r.field("PageTables", u.PageTables*kib, " kB")
}

func (r *report) mounts() { r.text("none / tmpfs rw 0 0\n") }

// loadavg has no averages, as nobody keeps any.
func (r *report) loadavg() {
	r.text("0.00 0.00 0.00 ")
	r.decimal(runningThreads())
	r.byte('/')
	r.decimal(uint64(numThreads))
	r.byte(' ')
	r.line(uint64(lastTID))
}

func (r *report) uptime() {
	now := uint64(nanotime())
	used := uint64(processTime())
	all := now * uint64(numCPUs)
	for i, ns := range [...]uint64{now, all - min(used, all)} {
		r.decimal(ns / 1e9)
		r.byte('.')
		r.number(ns/1e7%100, 10, 2)
		r.byte(" \n"[i])
	}
}

// stat tells the time of all processors, all of which counts as the program's.
func (r *report) stat() {
	used := uint64(processTime())
	all := uint64(nanotime()) * uint64(numCPUs)
	r.text("cpu  ")
	r.list(' ', ticks(int64(used)), 0, 0, ticks(int64(all-min(used, all))))
	r.text("0 0 0 0 0 0\nintr ")
	r.line(countedInterrupts())
	r.text("ctxt ")
	r.line(counted(eventSwitch))
	r.text("btime ")
	r.line(uint64(wallTime()-nanotime()) / 1e9)
	r.text("processes ")
	r.line(uint64(lastTID))
	r.text("procs_running ")
	r.line(runningThreads())
	r.text("procs_blocked 0\n")
}

func runningThreads() uint64 {
	n := uint64(0)
	for tid := int32(1); tid < maxThreads; tid++ {
		if t := threadAt(tid); t != nil && !t.task.Waits() {
			n++
		}
	}
	return n
}

// words writes boot words of a kind, each with a zero behind it.
func (r *report) words(kind boot.WordKind) {
	for w := boot.Machine().Words(); w.Next(); {
		if w.Kind() == kind {
			r.bytes(w.Text())
			r.byte(0)
		}
	}
}

func (r *report) cmdline() {
	r.bytes(programName[:])
	r.words(boot.Argument)
}

func (r *report) environ() { r.words(boot.Environment) }

func (r *report) auxv() {
	r.bytes(unsafe.Slice((*byte)(unsafe.Pointer(&auxv)), unsafe.Sizeof(auxv)))
}

// limits is a table with columns at fixed places.
func (r *report) limits() {
	const nameWidth, width = 26, 21
	r.padded("Limit", nameWidth)
	r.padded("Soft Limit", width)
	r.padded("Hard Limit", width)
	r.text("Units     \n")
	for i, name := range [...]string{
		"Max cpu time", "Max file size", "Max data size", "Max stack size", "Max core file size",
		"Max resident set", "Max processes", "Max open files", "Max locked memory", "Max address space",
		"Max file locks", "Max pending signals", "Max msgqueue size", "Max nice priority",
		"Max realtime priority", "Max realtime timeout",
	} {
		l := limitOf(uint64(i))
		r.padded(name, nameWidth)
		for _, v := range [...]uint64{l.soft, l.hard} {
			if v == unlimited {
				r.padded("unlimited", width)
				continue
			}
			var digits [20]byte
			d := formatDecimal(&digits, v)
			r.padded(unsafe.String(unsafe.SliceData(d), len(d)), width)
		}
		r.byte('\n')
	}
}

func (r *report) padded(s string, width int) {
	r.text(s)
	for range width - len(s) {
		r.byte(' ')
	}
}

// maps lists the areas of memory; the program's own are those that were loaded.
func (r *report) maps() {
	base, _, _ := programSections()
	base = base&^(mm.PageSize-1) - mm.PageSize
	for at := mm.Virt(0); ; {
		a, ok := space().AreaFrom(at)
		if !ok {
			return
		}
		at = a.End()
		r.number(uint64(a.Base), 16, 8)
		r.byte('-')
		r.number(uint64(at), 16, 8)
		r.byte(' ')
		for i, bit := range [...]mm.Prot{mm.ProtRead, mm.ProtWrite, mm.ProtExec} {
			if a.Prot&bit != 0 {
				r.byte("rwx"[i])
			} else {
				r.byte('-')
			}
		}
		r.text("p ")
		if !a.Program || a.Base < mm.Virt(base) {
			r.text("00000000 00:00 0")
			if a.Name != 0 {
				r.text("                          [anon:")
				r.bytes(mappingName(a.Name))
				r.byte(']')
			}
			r.byte('\n')
			continue
		}
		r.number(uint64(a.Base-mm.Virt(base)), 16, 8)
		r.text(" 00:01 ")
		r.decimal(programNumber)
		r.text("                          ")
		r.chars(programName[:])
		r.byte('\n')
	}
}

func (r *report) statm() {
	r.list(' ', mappedPages(), residentPages(), 0, 0, 0, residentPages())
	r.text("0\n")
}

func mappedPages() uint64 {
	n := uint64(0)
	for at := mm.Virt(0); ; {
		a, ok := space().AreaFrom(at)
		if !ok {
			return n / mm.PageSize
		}
		at = a.End()
		n += a.Size
	}
}
