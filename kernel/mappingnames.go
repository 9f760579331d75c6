//go:build metal

package kernel

import (
	"syscall"

	"nuos/mm"
)

// Names of anonymous memory (PR_SET_VMA_ANON_NAME in prctl(2)). The Go runtime gives
// one to all that it maps, so that its heap and its own tables can be told apart.

// mappingNames are the names that were ever given, in the order of mm's numbers from 1
// on. None is forgotten: programs have a few.
var (
	mappingNames    [63][80]byte
	numMappingNames uint8
)

// nameMapping is prctl's PR_SET_VMA.
func nameMapping(what, addr, length, name uint64) uint64 {
	const anonymous = 0
	if what != anonymous {
		return errno(eINVAL)
	}
	number := uint8(0)
	if name != 0 {
		text, ok := mappingNameAt(name)
		if !ok {
			return errno(eFAULT)
		}
		if !validMappingName(&text) {
			return errno(eINVAL)
		}
		if number = numberOfName(&text); number == 0 {
			return errno(syscall.ENOMEM)
		}
	}
	return errno(space().Name(mm.Virt(addr), length, number))
}

// mappingNameAt is the text at an address of the program.
func mappingNameAt(addr uint64) (text [80]byte, ok bool) {
	for i := range text {
		if !CopyIn(text[i:i+1], uintptr(addr)+uintptr(i)) {
			return text, false
		}
		if text[i] == 0 {
			break
		}
	}
	return text, true
}

// validMappingName reports whether a text can be shown in a line of /proc/self/maps.
func validMappingName(text *[80]byte) bool {
	for _, c := range text {
		switch {
		case c == 0:
			return true
		case c < ' ' || c > '~' || c == '\\' || c == '`' || c == '$' || c == '[' || c == ']':
			return false
		}
	}
	return false // too long
}

// numberOfName is the number of a name that was given before or has room; else 0.
func numberOfName(text *[80]byte) uint8 {
	for i := range numMappingNames {
		if mappingNames[i] == *text {
			return i + 1
		}
	}
	if int(numMappingNames) == len(mappingNames) {
		return 0
	}
	mappingNames[numMappingNames] = *text
	numMappingNames++
	return numMappingNames
}

// mappingName is the text of a number.
func mappingName(number uint8) []byte {
	text := mappingNames[number-1][:]
	for i, c := range text {
		if c == 0 {
			return text[:i]
		}
	}
	return text
}
