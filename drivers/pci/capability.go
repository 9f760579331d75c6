package pci

// Capability is an entry of a function's list of capabilities (PCI 6.7).
type Capability struct {
	ID     uint8
	Offset int // in configuration space
}

// Identifiers of capabilities: PCI Code and ID Assignment Specification 1.11.
const (
	CapVendor = 0x09
	CapMSIX   = 0x11
)

// Capabilities returns f's list. A list that loops or leaves the area where
// capabilities can be ends there.
func (f *Function) Capabilities() []Capability {
	if f.header > headerBridge || f.Read(regStatus, 2)&statusCapabilities == 0 {
		return nil
	}
	var list []Capability
	var seen [64]bool // a capability is four-byte aligned in 256 bytes
	for at := int(f.Read(regCapPointer, 1)) &^ 3; at >= 0x40 && !seen[at/4]; {
		seen[at/4] = true
		head := f.Read(at, 2)
		if head&0xff == 0xff {
			break // the function is gone
		}
		list = append(list, Capability{uint8(head), at})
		at = int(head>>8) &^ 3
	}
	return list
}

// Capability returns where the first capability with the identifier is.
func (f *Function) Capability(id uint8) (offset int, ok bool) {
	for _, c := range f.Capabilities() {
		if c.ID == id {
			return c.Offset, true
		}
	}
	return 0, false
}

// VendorCapabilities returns the bytes of each vendor-specific capability, from
// its identifier on, as long as its length byte says and configuration space
// reaches. Virtio describes its registers so.
func (f *Function) VendorCapabilities() [][]byte {
	var all [][]byte
	for _, c := range f.Capabilities() {
		if c.ID != CapVendor {
			continue
		}
		size := min(int(f.Read(c.Offset+2, 1)), 256-c.Offset)
		b := make([]byte, max(size, 3))
		for i := range b {
			b[i] = uint8(f.Read(c.Offset+i, 1))
		}
		all = append(all, b)
	}
	return all
}
