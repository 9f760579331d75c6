package virtio

import (
	"errors"
	"fmt"

	"nuos/drivers/pci"
	"nuos/drivers/virtiopci"
	"nuos/mm"
)

// IsNet reports whether a PCI function is a virtio network device.
func IsNet(f *pci.Function) bool { return virtiopci.Is(f, virtiopci.Network) }

// interrupts is what the transport needs of the kernel.
type interrupts struct {
	// alloc returns the message that makes an eventfd readable.
	alloc func(eventfd int) (address uint64, data uint32, err error)
	// watch has idle processors make it readable as soon as word changes, and
	// busy ones soon if the word is alone, without a message; unwatch ends that.
	watch   func(word *uint16, eventfd int, alone bool) error
	unwatch func(word *uint16)
}

// pciTransport reaches a device that is a function of PCI.
type pciTransport struct {
	fn         *pci.Function
	interrupts interrupts

	device  *virtiopci.Device // nil before offered
	msix    *pci.MSIX
	queues  [2]ring
	bells   [2]virtiopci.Bell
	watched *uint16
}

func (t *pciTransport) name() string { return fmt.Sprintf("virtio-net %v", t.fn.Address) }

func (t *pciTransport) offered() (uint64, error) {
	var err error
	if t.device, err = virtiopci.Open(t.fn); err != nil {
		return 0, err
	}
	offered := t.device.Offered()
	if _, messages := t.fn.Capability(pci.CapMSIX); !messages {
		offered &^= featPacked // nothing could be looked at instead
	}
	return offered, nil
}

func (t *pciTransport) accept(features uint64) error { return t.device.Accept(features) }

func (t *pciTransport) config() (config, error) {
	var b [configSize]byte
	err := t.device.ReadConfig(b[:])
	return readConfig(b[:]), err
}

func (t *pciTransport) limit(i int) int { return t.device.QueueSize(i) }

func (t *pciTransport) attach(i int, q ring) (err error) {
	t.queues[i] = q
	p := q.place()
	at := func(offset uint64) mm.Phys { return p.mem.phys + mm.Phys(offset) }
	t.bells[i], err = t.device.SetQueue(i, p.size, at(p.desc), at(p.driver), at(p.device))
	return err
}

func (t *pciTransport) start(event int) error {
	vector, err := t.openMSIX(event)
	if err != nil {
		return err
	}
	if err := t.device.EnableQueue(receiveQueue, vector); err != nil {
		return err
	}
	if err := t.device.EnableQueue(sendQueue, virtiopci.NoVector); err != nil {
		return err
	}
	word := t.queues[receiveQueue].usedIndex()
	if word == nil {
		t.device.Run()
		return nil
	}
	if err := t.interrupts.watch(word, event, vector == virtiopci.NoVector); err != nil {
		return err
	}
	t.watched = word
	t.device.Run()
	return nil
}

// openMSIX makes event what the function's vector 0 leads to. A function without messages
// has no vector: its other interrupts are not for us, so it is asked for none.
func (t *pciTransport) openMSIX(event int) (vector uint16, err error) {
	t.msix, err = t.fn.OpenMSIX()
	if errors.Is(err, pci.ErrNoMSIX) {
		t.queues[receiveQueue].(*split).mute = true // offered has seen to that
		return virtiopci.NoVector, nil
	}
	if err != nil {
		return 0, err
	}
	address, data, err := t.interrupts.alloc(event)
	if err != nil {
		return 0, err
	}
	return 0, t.msix.Set(0, address, data)
}

func (t *pciTransport) kick(i int) { t.bells[i].Ring() }

func (t *pciTransport) close() error {
	var err error
	if t.device != nil {
		err = t.device.Close()
	}
	if t.msix != nil {
		t.msix.Close()
	}
	if t.watched != nil {
		t.interrupts.unwatch(t.watched)
		t.watched = nil
	}
	return err
}
