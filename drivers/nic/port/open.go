package port

import (
	"fmt"
	"sync"

	"nuos/boot"
)

var nicParam = boot.NewParam("nic", "", "hosted: vhost-user:PATH, the switch's socket, or link:PATH, a cable; metal: PCI address of the NIC, default the first")

var machine struct {
	mu   sync.Mutex
	port *Port
}

// Open returns the port of the machine's NIC, as the boot parameters nic= and
// ip= say; the first call opens it. Its errors wrap ErrNoNIC, ErrParameter or
// those of the driver. An error is not remembered: a caller may try again. The
// port stays open as long as the machine runs; who closes it has closed it for
// everybody.
func Open() (*Port, error) {
	machine.mu.Lock()
	defer machine.mu.Unlock()
	if machine.port != nil {
		return machine.port, nil
	}
	c, err := ParseConfig(ipParam.Value())
	if err != nil {
		return nil, err
	}
	idle, err := idling()
	if err != nil {
		return nil, err
	}
	dev, err := openDevice(nicParam.Value())
	if err != nil {
		return nil, fmt.Errorf("opening the NIC: %w", err)
	}
	machine.port = start(dev, c, idle)
	return machine.port, nil
}
