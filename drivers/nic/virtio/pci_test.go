package virtio

import (
	"encoding/binary"
	"errors"
	"testing"

	"nuos/drivers/pci"
	"nuos/drivers/virtiopci"
	"nuos/drivers/virtiopci/virtiotest"
	"nuos/mm"
)

// newPCIModel is a network device of version 1.
func newPCIModel() *virtiotest.Model {
	mm.Frames() // makes the machine's memory
	m := virtiotest.New(0x1041)
	// Both halves of the features read alike: bit 0 of the upper is VERSION_1.
	binary.LittleEndian.PutUint32(m.Registers[virtiotest.DeviceFeatures:], featMAC|featMTU|featMrgRxbuf|1)
	copy(m.Registers[virtiotest.Config:], []byte{2, 0, 0, 0, 0, 7, 1, 0, 1, 0, 9000 & 0xff, 9000 >> 8})
	return m
}

func openPCI(m *virtiotest.Model) (*Device, error) {
	f := m.Function()
	if f == nil || !IsNet(f) {
		return nil, pci.ErrNoPCI
	}
	return open(&pciTransport{fn: f, interrupts: kernelModel(new(bool))}, options{})
}

// kernelModel is a kernel that says in alone what it was told of the word to watch.
func kernelModel(alone *bool) interrupts {
	return interrupts{
		alloc:   func(int) (uint64, uint32, error) { return 0xfee0_1000, 0x42, nil },
		watch:   func(_ *uint16, _ int, a bool) error { *alone = a; return nil },
		unwatch: func(*uint16) {},
	}
}

func TestPCIRegisters(t *testing.T) {
	m := newPCIModel()
	d, err := openPCI(m)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Info().MAC.String(); got != "02:00:00:00:00:07" || d.Info().MTU != 9000 {
		t.Errorf("Info = %+v", d.Info())
	}
	q := d.tx.q.(*split) // the last that was selected
	for _, c := range []struct {
		name   string
		offset int
		size   int
		want   uint64
	}{
		{"status", virtiotest.Status, 1, 15},
		{"configuration vector", virtiotest.ConfigVector, 2, 0xffff},
		{"queue", virtiotest.QueueSelect, 2, sendQueue},
		{"queue vector", virtiotest.QueueVector, 2, 0xffff},
		{"enable", virtiotest.QueueEnable, 2, 1},
		{"descriptors", virtiotest.QueueDesc, 8, uint64(q.mem.phys)},
		{"available ring", virtiotest.QueueDriver, 8, uint64(q.mem.phys) + 16*64},
		{"used ring", virtiotest.QueueDevice, 8, uint64(q.mem.phys) + 4096},
		{"driver features, upper half", virtiotest.DriverFeatures, 4, featVersion1 >> 32},
		{"message address", virtiotest.MSIX, 8, 0xfee0_1000},
		{"message data and mask", virtiotest.MSIX + 8, 8, 0x42},
		{"second message is masked", virtiotest.MSIX + 28, 4, 1},
		{"bell of the receive queue, rung for its buffers", virtiotest.Bells + 3*4, 2, receiveQueue},
	} {
		var b [8]byte
		copy(b[:c.size], m.Registers[c.offset:])
		if got := binary.LittleEndian.Uint64(b[:]); got != c.want {
			t.Errorf("%s: %#x; want %#x", c.name, got, c.want)
		}
	}
	if m.Space[4]&6 != 6 {
		t.Errorf("command register %#x: memory and bus master must be on", m.Space[4])
	}
	d.Send(nil)
	if err := d.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if m.Registers[virtiotest.Status] != 0 || m.Space[4]&4 != 0 {
		t.Errorf("after Close: status %#x, command %#x; want a reset device that is no bus master",
			m.Registers[virtiotest.Status], m.Space[4])
	}
}

func TestPCIErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(m *virtiotest.Model)
		want  error
	}{
		{"no capabilities", func(m *virtiotest.Model) { m.Space[6] = 0 }, virtiopci.ErrLegacy},
		{"no queues", func(m *virtiotest.Model) { m.Registers[virtiotest.QueueSize] = 0 }, virtiopci.ErrQueue},
		{"no version 1", func(m *virtiotest.Model) { m.Registers[virtiotest.DeviceFeatures] &^= 1 }, virtiopci.ErrLegacy},
	} {
		m := newPCIModel()
		before := mm.Frames().DMA
		c.spoil(m)
		if _, err := openPCI(m); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", c.name, err, c.want)
		}
		if after := mm.Frames().DMA; after != before || m.Space[4]&4 != 0 {
			t.Errorf("%s: %d frames of device memory, command %#x; want %d and no bus master", c.name, after, m.Space[4], before)
		}
	}
}

// TestPCIWithoutMSIX opens a function that has no messages: its queues have no vectors, somebody
// looks at the used ring instead, and the device is not asked for what nobody would hear.
func TestPCIWithoutMSIX(t *testing.T) {
	for _, c := range []struct {
		messages bool
		vector   uint16
	}{{true, 0}, {false, 0xffff}} {
		m := newPCIModel()
		if !c.messages {
			m.Space[virtiotest.CapMSIX] = pci.CapVendor
		}
		vector := uint16(0xaaaa)
		m.OnStore = func(offset int, v uint64) {
			if offset == virtiotest.QueueVector && m.Registers[virtiotest.QueueSelect] == receiveQueue {
				vector = uint16(v)
			}
		}
		alone := c.messages
		d, err := open(&pciTransport{fn: m.Function(), interrupts: kernelModel(&alone)}, options{})
		if err != nil {
			t.Fatal(err)
		}
		if vector != c.vector || alone == c.messages {
			t.Errorf("messages %v: vector %#x, watched alone %v; want %#x, %v", c.messages, vector, alone, c.vector, !c.messages)
		}
		if !d.Arm() {
			t.Error("an empty queue cannot be armed")
		}
		if asked := d.rx.q.(*split).flags&noInterrupt == 0; asked != c.messages {
			t.Errorf("messages %v: asked for an interrupt: %v", c.messages, asked)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}
