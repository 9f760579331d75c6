//go:build metal

package port

import "nuos/drivers/nic"

// openDevice finds the machine's NIC on the PCI bus.
func openDevice(param string) (nic.Device, error) { return nil, ErrNoNIC }
