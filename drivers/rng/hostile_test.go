package rng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"nuos/drivers/pci"
	"nuos/drivers/virtiopci"
	"nuos/drivers/virtiopci/virtiotest"
	"nuos/mm"
)

// script is what a device does when its bell rings: the index of its used ring afterwards,
// the one entry that it wrote there, and the bytes.
type script struct {
	index      uint16
	id, length uint32
	bytes      []byte
}

// obey makes the model do what s says, at the addresses that the driver gave it. It writes
// no further than it was asked to: what a device writes elsewhere nobody can prevent.
func obey(m *virtiotest.Model, s script) {
	m.OnStore = func(offset int, v uint64) {
		if offset < virtiotest.Bells || offset >= virtiotest.MSIX {
			return
		}
		at := func(register int) []byte {
			p := binary.LittleEndian.Uint64(m.Registers[register:])
			return mm.Bytes(mm.Range{Base: mm.Direct(mm.Phys(p)), Size: 16})
		}
		desc := binary.LittleEndian.Uint64(m.Registers[virtiotest.QueueDesc:])
		if desc == 0 || binary.LittleEndian.Uint64(m.Registers[virtiotest.QueueDevice:])-desc != usedAt {
			return // said to be elsewhere, the registers have not what the driver means
		}
		descriptor, used := at(virtiotest.QueueDesc), at(virtiotest.QueueDevice)
		to, size := binary.LittleEndian.Uint64(descriptor), binary.LittleEndian.Uint32(descriptor[8:])
		copy(mm.Bytes(mm.Range{Base: mm.Direct(mm.Phys(to)), Size: uint64(size)}), s.bytes)
		binary.LittleEndian.PutUint32(used[4:], s.id)
		binary.LittleEndian.PutUint32(used[8:], s.length)
		binary.LittleEndian.PutUint16(used[2:], s.index)
	}
}

// request asks a model for as many bytes as b has. What it waits for passes at once.
func request(t *testing.T, m *virtiotest.Model, b []byte) (n int, err error) {
	synctest.Test(t, func(*testing.T) {
		if f := m.Function(); f == nil {
			err = pci.ErrNoPCI
		} else {
			n, err = ask(f, b)
		}
	})
	if m.Space[4]&4 != 0 {
		t.Error("the device is still a bus master")
	}
	return n, err
}

func TestAsk(t *testing.T) {
	mm.Frames() // makes the machine's memory
	want := []byte("sixteen of bytes")
	for _, c := range []struct {
		name   string
		script script
		n      int
		err    error
	}{
		{"all", script{1, 0, 16, want}, 16, nil},
		{"fewer", script{1, 0, 5, want}, 5, nil},
		{"none", script{1, 0, 0, want}, 0, errDevice},
		{"more than were asked for", script{1, 0, 17, want}, 0, errDevice},
		{"as many as can be", script{1, 0, 1<<32 - 1, want}, 0, errDevice},
		{"twice", script{2, 0, 16, want}, 0, errDevice},
		{"index goes back", script{0xffff, 0, 16, want}, 0, errDevice},
		{"another request", script{1, 1, 16, want}, 0, errDevice},
		{"request of a wild number", script{1, 1<<32 - 1, 16, want}, 0, errDevice},
		{"never", script{0, 0, 16, want}, 0, errDevice},
	} {
		m := virtiotest.New(0x1044)
		obey(m, c.script)
		before := mm.Frames().DMA
		b := make([]byte, 16)
		n, err := request(t, m, b)
		if n != c.n || !errors.Is(err, c.err) || !bytes.Equal(b[:n], want[:c.n]) || slices.Max(append(b[n:], 0)) != 0 {
			t.Errorf("%s: %d, %v: %q; want %d bytes, %v", c.name, n, err, b, c.n, c.err)
		}
		if after := mm.Frames().DMA; after != before {
			t.Errorf("%s: %d frames of device memory afterwards; want %d", c.name, after, before)
		}
	}
}

// TestAskStuck has devices that do not stop: their memory must never be used again.
func TestAskStuck(t *testing.T) {
	mm.Frames()
	m := virtiotest.New(0x1044)
	obey(m, script{1, 0, 16, make([]byte, 16)})
	m.OnLoad = func(offset int, v uint64) uint64 {
		if offset == virtiotest.Status && m.Registers[virtiotest.QueueEnable] != 0 {
			return 15
		}
		return v
	}
	before := mm.Frames().DMA
	if n, err := request(t, m, make([]byte, 16)); n != 0 || !errors.Is(err, virtiopci.ErrDevice) {
		t.Errorf("ask = %d, %v; want %v", n, err, virtiopci.ErrDevice)
	}
	if after := mm.Frames().DMA; after != before+1 {
		t.Errorf("%d frames of device memory; want %d, since the device may still write its page", after, before+1)
	}
}

// FuzzHostileDevice lets bytes decide what the device says of itself and what it answers.
// Whatever it is: nothing panics, what is returned lies within what was asked for, and all
// memory comes back.
func FuzzHostileDevice(f *testing.F) {
	good := virtiotest.New(0x1044)
	list := good.Space[virtiotest.CapCommon:virtiotest.CapEnd]
	f.Add(list, uint16(64), uint16(3), uint16(1), uint32(0), uint32(16), []byte("sixteen of bytes"))
	f.Add(list, uint16(64), uint16(3), uint16(2), uint32(0), uint32(1<<31), []byte{})
	f.Add(list[:40], uint16(1), uint16(0x7f03), uint16(1), uint32(0), uint32(16), []byte{})
	f.Add([]byte{pci.CapVendor, virtiotest.CapCommon, 255, 1, 9}, uint16(0), uint16(0xffff), uint16(0), uint32(0), uint32(0), []byte{})
	mm.Frames()
	f.Fuzz(func(t *testing.T, capabilities []byte, size, notify, index uint16, id, length uint32, answer []byte) {
		m := virtiotest.New(0x1044)
		copy(m.Space[virtiotest.CapCommon:], capabilities)
		binary.LittleEndian.PutUint16(m.Registers[virtiotest.QueueSize:], size)
		binary.LittleEndian.PutUint16(m.Registers[virtiotest.QueueNotify:], notify)
		obey(m, script{index, id, length, answer})
		before := mm.Frames().DMA
		n, err := request(t, m, make([]byte, 16))
		if n < 0 || n > 16 || (n == 0) == (err == nil) || err == nil && uint32(n) != length {
			t.Errorf("ask = %d, %v, when the device says %d bytes", n, err, length)
		}
		if after := mm.Frames().DMA; after != before {
			t.Errorf("%d frames of device memory afterwards; want %d", after, before)
		}
	})
}
