package mm

// Audit is what a walk over all page tables has found.
type Audit struct {
	// Pages counts translations by what they allow, a large page as one.
	// Together they are everything that a processor can reach.
	Constant, Writable, Executable uint64

	// Guarded counts the pages that have a guard, which nothing can reach.
	Guarded uint64

	// Lowest is the lowest address that is mapped.
	Lowest Virt

	// Broken says that a frame can be written at the address Write and executed
	// at Execute, which may be the same.
	Broken         bool
	Write, Execute Virt
}

// Audit walks over the page tables, as a processor reads them, and looks for memory
// that can be written at one address and executed at the same or another one. It
// holds the lock for as long as it takes, which is a matter of milliseconds.
func (s *Space) Audit() (a Audit) {
	interrupts := s.mu.lock()
	s.tables.audit(&a)
	s.mu.unlock(interrupts)
	return a
}

// executedRuns are pages that can be executed and follow each other in both kinds of
// addresses. There are a few: the program's text is one, in whatever pages.
type executedRuns struct {
	runs  [64]executedRun
	count int
}

type executedRun struct {
	virt Virt
	phys PhysRange
}

func (t *tables) audit(a *Audit) {
	var list executedRuns
	a.Lowest = ^Virt(0)
	for v, more := Virt(0), true; more; {
		var e entry
		var level int
		if v, e, level, more = t.nextEntry(v); !more {
			break
		}
		p := PhysRange{Phys(e & entryAddress), pageSize(level)}
		if e&entryPresent != 0 {
			a.Lowest = min(a.Lowest, v)
		}
		switch {
		case e&entryGuard != 0:
			a.Guarded++
		case e&entryPresent == 0:
		case executable(e):
			a.Executable++
			if e&entryWrite != 0 {
				a.Broken, a.Write, a.Execute = true, v, v
			}
			if !list.add(v, p) {
				t.auditWrites(a, &list)
				list.count = 0
				list.add(v, p)
			}
		case e&entryWrite != 0:
			a.Writable++
		default:
			a.Constant++
		}
		v, more = v+Virt(p.Size), v+Virt(p.Size) < 1<<47
	}
	t.auditWrites(a, &list)
}

// add reports false if there is no room.
func (l *executedRuns) add(v Virt, p PhysRange) bool {
	if l.count > 0 {
		last := &l.runs[l.count-1]
		if last.phys.End() == p.Base && last.virt+Virt(last.phys.Size) == v {
			last.phys.Size += p.Size
			return true
		}
	}
	if l.count == len(l.runs) {
		return false
	}
	l.runs[l.count] = executedRun{v, p}
	l.count++
	return true
}

// auditWrites looks for pages that can be written and show frames of the list.
func (t *tables) auditWrites(a *Audit, list *executedRuns) {
	for v, more := Virt(0), list.count > 0; more; {
		var e entry
		var level int
		if v, e, level, more = t.nextEntry(v); !more {
			return
		}
		p := PhysRange{Phys(e & entryAddress), pageSize(level)}
		for i := range list.runs[:list.count] {
			run := &list.runs[i]
			if e&entryWrite != 0 && run.phys.overlaps(p) {
				shared := max(run.phys.Base, p.Base)
				a.Broken = true
				a.Write, a.Execute = v+Virt(shared-p.Base), run.virt+Virt(shared-run.phys.Base)
			}
		}
		v, more = v+Virt(p.Size), v+Virt(p.Size) < 1<<47
	}
}

// nextEntry returns the first page at v or behind it, which a processor can reach or not.
func (t *tables) nextEntry(v Virt) (at Virt, e entry, level int, found bool) {
	for v < 1<<47 {
		e, level, _ = t.leaf(v)
		span := Virt(pageSize(level))
		if e != 0 {
			return v &^ (span - 1), e, level, true
		}
		v = v&^(span-1) + span
	}
	return 0, 0, 0, false
}
