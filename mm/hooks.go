package mm

// Hooks is what mm needs of the kernel. All functions run in the context of
// whoever called mm, possibly a page-fault handler, with a lock of mm held and
// interrupts off: they must not call mm, allocate or block.
type Hooks struct {
	// Flush returns when no processor can use a translation of any address in
	// r any more, the one that runs included. It covers the translations of
	// large pages and the paging-structure caches, too (INVLPG does both).
	Flush func(r Range)

	// Relax is called in every turn of a loop that waits for a lock of mm. It
	// answers flush requests of other processors: the one that holds the lock
	// may be waiting in Flush for an answer of this one, whose interrupts are
	// off. A kernel's own locks have to do the same.
	Relax func()

	// Fatal reports a broken invariant of mm, such as a frame freed twice, and
	// does not return.
	Fatal func(message string, address uint64)
}

var hooks Hooks

// SetHooks installs the kernel's functions. It is called once, before a second
// processor or a garbage collection is running: assigning functions has write
// barriers, which are off then. Until then Flush affects only the processor
// that runs.
func SetHooks(h Hooks) { hooks = h }

func flush(r Range) {
	if hooks.Flush != nil {
		hooks.Flush(r)
		return
	}
	FlushLocal(r)
}

func fatal(message string, address uint64) {
	if hooks.Fatal != nil {
		hooks.Fatal(message, address)
	}
	panic(message)
}
