package virtio

import (
	"unsafe"

	"nuos/mm"
)

// region is memory whose device addresses are contiguous.
type region struct {
	mm.Range
	phys mm.Phys
}

func newRegion(size uint64) (region, error) {
	r, err := mm.AllocDMA(pages(size))
	if err != nil {
		return region{}, err
	}
	phys, _, _ := mm.Translate(r.Base)
	return region{r, phys}, nil
}

func pages(n uint64) uint64 { return (n + mm.PageSize - 1) &^ (mm.PageSize - 1) }

func (r region) free() { mm.FreeDMA(r.Range) }

// pointer returns the address at an offset inside r.
func (r region) pointer(offset uint64) unsafe.Pointer {
	return unsafe.Pointer(&mm.Bytes(r.Range)[offset])
}

// slice returns the bytes from begin to end as ordinary, bounds-checked bytes.
func (r region) slice(begin, end uint64) []byte { return mm.Bytes(r.Range)[begin:end:end] }
