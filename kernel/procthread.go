//go:build metal

package kernel

import "nuos/mm"

// What /proc tells of each thread.

func (r *report) comm() {
	if t := threadAt(r.thread); t != nil {
		r.threadName(t)
		r.byte('\n')
	}
}

// threadName is the name that the thread has given itself, or the program's.
func (r *report) threadName(t *thread) {
	if t.name[0] == 0 {
		r.chars(programName[1:])
		return
	}
	r.chars(t.name[:])
}

// letter is the state of a thread as proc(5) has it.
func (t *thread) letter() byte {
	if t.task.Waits() {
		return 'S'
	}
	return 'R'
}

// threadStat is the one line of stat, whose fields have places.
func (r *report) threadStat() {
	t := threadAt(r.thread)
	if t == nil {
		return
	}
	used := t.used
	if r.thread == processID {
		used = processTime()
	}
	r.decimal(uint64(r.thread))
	r.text(" (")
	r.threadName(t)
	r.text(") ")
	r.byte(t.letter())
	r.byte(' ')
	r.list(' ', 0, processID, processID, 0) // parent, group, session, terminal
	r.text("-1 ")
	r.list(' ', 0, counted(eventFault), 0, 0, 0)                     // flags, faults
	r.list(' ', ticks(used), 0, 0, 0)                                // time: user, system, and both of children
	r.list(' ', 20, 0, uint64(numThreads), 0, 0)                     // priority, nice, threads, -, start
	r.list(' ', mappedPages()*mm.PageSize, residentPages())          // memory
	r.list(' ', unlimited, 0, 0, 0, 0, 0)                            // limit; addresses, which are not told
	r.list(' ', t.pending.Load(), t.mask.Load(), 0, 0, 0, 0, 0)      // signals, -
	r.list(' ', 17, uint64(t.task.CPU()), 0, 0, 0, 0, 0, 0, 0, 0, 0) // exit signal, processor, -
	r.text("0 0 0\n")
}

func (r *report) status() {
	t := threadAt(r.thread)
	if t == nil {
		return
	}
	const kib = mm.PageSize / 1024
	r.text("Name:\t")
	r.threadName(t)
	r.text("\nUmask:\t")
	r.number(uint64(umask), 8, 4)
	r.text("\nState:\t")
	if t.letter() == 'R' {
		r.text("R (running)\n")
	} else {
		r.text("S (sleeping)\n")
	}
	r.field("Tgid", processID, "")
	r.field("Pid", uint64(r.thread), "")
	r.field("PPid", 0, "")
	r.field("TracerPid", 0, "")
	r.identity("Uid:", &users)
	r.identity("Gid:", &groups)
	r.field("FDSize", maxFDs, "")
	r.text("Groups:\t")
	for _, g := range supplementary[:numGroups] {
		r.decimal(uint64(g))
		r.byte(' ')
	}
	r.byte('\n')
	r.field("VmSize", mappedPages()*kib, " kB")
	resident := residentPages()
	r.field("VmHWM", peakPages*kib, " kB")
	r.field("VmRSS", resident*kib, " kB")
	r.field("Threads", uint64(numThreads), "")
	r.set("SigPnd", t.pending.Load())
	r.set("SigBlk", t.mask.Load())
	ignored, caught := uint64(0), uint64(0)
	for i := range uint64(64) {
		switch actions[i+1].handler {
		case sigDefault:
		case sigIgnore:
			ignored |= 1 << i
		default:
			caught |= 1 << i
		}
	}
	r.set("SigIgn", ignored)
	r.set("SigCgt", caught)
	c := &capabilities
	r.set("CapInh", c.inheritable)
	r.set("CapPrm", c.permitted)
	r.set("CapEff", c.effective)
	r.set("CapBnd", capAll)
	r.set("CapAmb", 0)
	r.field("NoNewPrivs", attributes.noNewPrivileges, "")
	r.set("Cpus_allowed", processorBits())
	r.text("Cpus_allowed_list:\t")
	r.processors()
}

func (r *report) identity(name string, i *identity) {
	r.text(name)
	for _, id := range [...]uint32{i.real, i.effective, i.saved, i.files} {
		r.byte('\t')
		r.decimal(uint64(id))
	}
	r.byte('\n')
}

// set writes a set of bits.
func (r *report) set(name string, bits uint64) {
	r.text(name)
	r.text(":\t")
	r.number(bits, 16, 16)
	r.byte('\n')
}
