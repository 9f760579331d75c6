package stackmap

import "nuos/mm"

// CheckWords looks for words in r, memory whose layout is not known, that
// look like pointers to what only this process has: the Go heap, stacks of
// goroutines, itabs and types made at run time. It calls found with each,
// its address and a description, until found returns false.
//
// It guesses: a number can look like a pointer, so it is for finding mistakes
// and not for deciding. It finds all aligned words that matter. r must be
// readable and aligned to eight bytes; a word that somebody writes meanwhile
// is seen as it was or as it will be.
func CheckWords(r mm.Range, found func(addr, value uintptr, what string) bool) {
	for addr, end := uintptr(r.Base), uintptr(r.End()); addr+8 <= end; addr += 8 {
		w := load(addr)
		if w-mm.PageSize >= 1<<47-mm.PageSize || w-image.lo < image.size || w-rack.lo < rack.size {
			continue
		}
		if (!verifyNotInHeapPtr(w) || madeItab(w)) && !found(addr, w, describe(w)) {
			return
		}
	}
}
