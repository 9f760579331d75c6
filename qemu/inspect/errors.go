package inspect

import "errors"

var (
	// ErrNoSymbols: there is no file with symbols beside the image.
	ErrNoSymbols = errors.New("no symbols: `nuos build` writes them beside the image, and --strip leaves them out")

	// ErrOtherImage: the symbols are of another image than the one that runs, or
	// the machine has not come so far yet.
	ErrOtherImage = errors.New("the symbols are not those of this machine's image")

	// ErrNotCore: the file is not a core that QEMU has written.
	ErrNotCore = errors.New("not a core of a machine")

	// ErrUnmapped: an address that is in no memory.
	ErrUnmapped = errors.New("no memory at this address")
)
