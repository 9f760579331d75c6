//go:build metal

package port

import (
	"fmt"
	"strings"

	"nuos/drivers/nic"
	"nuos/drivers/nic/virtio"
	"nuos/drivers/pci"
)

// idling: the pump parks when that pays. Whether the processor then polls or halts is
// what the boot parameter idle= of the kernel says.
func idling() (idleMode, error) { return idleAdaptive, nil }

// mostPolls is how often the pump polls in vain at most. The processors are the machine's alone: who
// spins takes them from nobody.
func mostPolls(int) int { return 256 }

// openDevice opens the NIC at the PCI address that nic= gives, or the first
// that we drive.
func openDevice(param string) (nic.Device, error) {
	bus, err := pci.Machine()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoNIC, err)
	}
	match := virtio.IsNet
	if param != "" {
		a, err := pci.ParseAddress(param)
		if err != nil {
			return nil, fmt.Errorf("%w nic=%s: %w", ErrParameter, param, err)
		}
		match = func(f *pci.Function) bool { return f.Address == a && virtio.IsNet(f) }
	}
	found := bus.Find(match)
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoNIC, others(bus, param))
	}
	return virtio.OpenPCI(found[0])
}

// others says what there is instead of a virtio network device.
func others(bus *pci.Bus, param string) string {
	const network = 0x02 // base class (PCI Code and ID Assignment 1.11, 1.1)
	var names []string
	for _, f := range bus.Find(func(f *pci.Function) bool { return f.Class>>16 == network }) {
		names = append(names, f.String())
	}
	where := fmt.Sprintf("among %d PCI functions", len(bus.Functions))
	if param != "" {
		where = "at " + param
	}
	if len(names) == 0 {
		return "no virtio-net device " + where + " and no other network card"
	}
	return "no virtio-net device " + where + "; network cards: " + strings.Join(names, ", ")
}
