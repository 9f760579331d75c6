package virtio

import (
	"fmt"

	"nuos/drivers/virtiopci"
)

// Feature bits (5.1.3 and 6).
const (
	featMTU        = 1 << 3  // config has the largest MTU
	featMAC        = 1 << 5  // config has the address
	featMrgRxbuf   = 1 << 15 // a frame may span several receive buffers
	featStatus     = 1 << 16 // config has the link status
	featIndirect   = 1 << 28 // a descriptor may point to a table of them
	featEventIdx   = 1 << 29 // each side says after which entry it wants a signal
	featVersion1   = virtiopci.Version1
	featPacked     = 1 << 34 // the packed layout of queues
	featuresWanted = featMTU | featMAC | featMrgRxbuf | featStatus | featIndirect | featEventIdx | featVersion1 | featPacked
)

// negotiate settles the features with the device (3.1.1, steps 4 to 6).
func negotiate(t transport, o options) (uint64, error) {
	offered, err := t.offered()
	if err != nil {
		return 0, err
	}
	if offered&featVersion1 == 0 {
		return 0, fmt.Errorf("%w (it offers %#x)", virtiopci.ErrLegacy, offered)
	}
	accepted := offered & featuresWanted &^ o.refuse
	if err := t.accept(accepted); err != nil {
		return 0, err
	}
	return accepted, nil
}
