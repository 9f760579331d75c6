package pci

import "errors"

var (
	// ErrNoPCI: the machine has no configuration space that can be reached.
	ErrNoPCI = errors.New("pci: no configuration space")

	// ErrNoBAR: the function has no such memory BAR, or it has no address
	// because none was left.
	ErrNoBAR = errors.New("pci: BAR has no memory")

	// ErrNoMSIX: the function has no MSI-X capability, or a senseless one.
	ErrNoMSIX = errors.New("pci: no usable MSI-X")

	// ErrAddress: the text is not a PCI address.
	ErrAddress = errors.New("pci: bad address, want BUS:DEVICE.FUNCTION such as 00:03.0")
)
