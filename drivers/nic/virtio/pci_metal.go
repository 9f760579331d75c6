//go:build metal

package virtio

import (
	"nuos/drivers/pci"
	"nuos/kernel"
)

// OpenPCI opens the network device that is a PCI function.
func OpenPCI(f *pci.Function) (*Device, error) {
	return open(&pciTransport{
		fn:         f,
		interrupts: interrupts{kernel.AllocMSI, kernel.WatchWord, kernel.UnwatchWord},
	}, options{})
}
