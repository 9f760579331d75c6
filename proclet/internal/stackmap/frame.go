package stackmap

// caller returns where the caller of the function that calls continues: the
// return address, its stack pointer and its frame pointer. The function that
// calls must not be inlined and must have a frame.
func caller() (pc, sp, bp uintptr)

// chains returns g._defer and g._panic of the calling goroutine.
func chains() (deferred, panicking uintptr)
