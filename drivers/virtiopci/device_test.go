package virtiopci

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"

	"nuos/drivers/pci"
	"nuos/drivers/virtiopci/virtiotest"
)

// setUp does what a driver of one queue does, up to the bell.
func setUp(f *pci.Function) error {
	d, err := Open(f)
	if err != nil {
		return err
	}
	defer d.Close()
	if d.Offered()&Version1 == 0 {
		return ErrLegacy
	}
	if err := d.Accept(Version1); err != nil {
		return err
	}
	if err := d.ReadConfig(make([]byte, 8)); err != nil {
		return err
	}
	if d.QueueSize(0) == 0 {
		return ErrQueue
	}
	bell, err := d.SetQueue(0, 1, 0x1000, 0x2000, 0x3000)
	if err != nil {
		return err
	}
	if err := d.EnableQueue(0, NoVector); err != nil {
		return err
	}
	d.Run()
	bell.Ring()
	return nil
}

func TestIs(t *testing.T) {
	for _, c := range []struct {
		device uint16
		want   Kind
	}{{0x1041, Network}, {0x1000, Network}, {0x1044, Entropy}, {0x1005, Entropy}, {0x1042, 0}} {
		for _, k := range []Kind{Network, Entropy} {
			if got := Is(&pci.Function{Vendor: 0x1af4, Device: c.device}, k); got != (k == c.want) {
				t.Errorf("Is(%#x, %d) = %t", c.device, k, got)
			}
			if Is(&pci.Function{Vendor: 0x8086, Device: c.device}, k) {
				t.Errorf("Is(%#x of another vendor, %d)", c.device, k)
			}
		}
	}
}

func TestSetUp(t *testing.T) {
	m := virtiotest.New(0x1044)
	var statuses []byte
	running := false
	m.OnStore = func(offset int, v uint64) {
		switch {
		case offset == virtiotest.Status:
			statuses = append(statuses, byte(v))
			running = v&statusDriverOK != 0
		case offset >= virtiotest.Bells && (!running || offset != virtiotest.Bells+12 || v != 0):
			t.Errorf("%#x is written to %#x", v, offset)
		}
	}
	if err := setUp(m.Function()); err != nil {
		t.Fatal(err)
	}
	// Reset, the steps of 3.1.1, and reset again.
	if want := []byte{0, 1, 3, 11, 15, 0}; !bytes.Equal(statuses, want) {
		t.Errorf("statuses %v; want %v", statuses, want)
	}
	if m.Space[4]&4 != 0 {
		t.Error("the device is still a bus master")
	}
	for offset, want := range map[int]uint32{virtiotest.QueueDesc: 0x1000, virtiotest.QueueDriver: 0x2000, virtiotest.QueueDevice: 0x3000,
		virtiotest.DriverFeatures: 1} {
		if got := binary.LittleEndian.Uint32(m.Registers[offset:]); got != want {
			t.Errorf("%#x at %#x; want %#x", got, offset, want)
		}
	}
}

func TestErrors(t *testing.T) {
	// answers makes a register have what f says.
	answers := func(offset int, f func(v uint64) uint64) func(*virtiotest.Model) {
		return func(m *virtiotest.Model) {
			m.OnLoad = func(at int, v uint64) uint64 {
				if at == offset {
					return f(v)
				}
				return v
			}
		}
	}
	generation := uint64(0)
	for _, c := range []struct {
		name  string
		spoil func(m *virtiotest.Model)
		want  error
	}{
		{"no capabilities", func(m *virtiotest.Model) { m.Space[6] = 0 }, ErrLegacy},
		{"a list that is torn after the first", func(m *virtiotest.Model) { m.Space[virtiotest.CapCommon+1] = 0 }, ErrLegacy},
		{"a list that loops", func(m *virtiotest.Model) { m.Space[virtiotest.CapISR+1] = virtiotest.CapCommon }, ErrLegacy},
		{"a capability too short", func(m *virtiotest.Model) { m.Space[virtiotest.CapCommon+2] = 15 }, ErrLegacy},
		{"no BAR", func(m *virtiotest.Model) { m.Space[virtiotest.CapCommon+4] = 2 }, pci.ErrNoBAR},
		{"registers too short", func(m *virtiotest.Model) { copy(m.Space[virtiotest.CapCommon+12:], []byte{0x37, 0}) }, ErrLegacy},
		{"never reset", answers(virtiotest.Status, func(uint64) uint64 { return statusDriverOK }), ErrDevice},
		{"no version 1", func(m *virtiotest.Model) { m.Registers[virtiotest.DeviceFeatures] = 0 }, ErrLegacy},
		{"features refused", answers(virtiotest.Status, func(v uint64) uint64 { return v &^ statusFeaturesOK }), ErrRefused},
		{"restless", answers(virtiotest.QueueSelect-1, func(uint64) uint64 { generation++; return generation & 0xff }), ErrDevice},
		{"no queues", func(m *virtiotest.Model) { m.Registers[virtiotest.QueueSize] = 0 }, ErrQueue},
		{"bell outside", func(m *virtiotest.Model) { m.Registers[virtiotest.QueueNotify+1] = 0x7f }, ErrQueue},
		{"odd bell", func(m *virtiotest.Model) { m.Space[virtiotest.CapNotify+16] = 1 }, ErrQueue},
		{"no vector", answers(virtiotest.QueueVector, func(uint64) uint64 { return 7 }), ErrQueue},
	} {
		synctest.Test(t, func(t *testing.T) { // what is waited for passes at once
			m := virtiotest.New(0x1044)
			c.spoil(m)
			if err := setUp(m.Function()); !errors.Is(err, c.want) {
				t.Errorf("%s: %v; want %v", c.name, err, c.want)
			}
			if m.Space[4]&4 != 0 {
				t.Errorf("%s: the device is still a bus master", c.name)
			}
		})
	}
	// Registers that are said to be outside of their BAR.
	m := virtiotest.New(0x1044)
	m.Space[virtiotest.CapNotify+10] = 0xff
	if err := setUp(m.Function()); err == nil {
		t.Error("registers outside of their BAR are accepted")
	}
}

// FuzzCapabilities sets devices up whose capabilities say anything.
func FuzzCapabilities(f *testing.F) {
	good := virtiotest.New(0x1044)
	f.Add(good.Space[virtiotest.CapCommon:virtiotest.CapEnd], uint16(64), uint16(3))
	f.Add([]byte{pci.CapVendor, 0x40, 255, 1, 9}, uint16(0), uint16(0xffff))
	f.Fuzz(func(t *testing.T, capabilities []byte, size, notify uint16) {
		m := virtiotest.New(0x1044)
		copy(m.Space[virtiotest.CapCommon:], capabilities)
		binary.LittleEndian.PutUint16(m.Registers[virtiotest.QueueSize:], size)
		binary.LittleEndian.PutUint16(m.Registers[virtiotest.QueueNotify:], notify)
		setUp(m.Function()) // whatever it says, nothing panics
		if m.Space[4]&4 != 0 {
			t.Error("the device is still a bus master")
		}
	})
}
