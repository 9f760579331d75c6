package virtio

import (
	"testing"

	"nuos/drivers/nic"
)

// FuzzHostileDevice lets bytes decide what the device writes into the used
// rings and the frame headers, and what the driver does in between. Whatever
// it is: nothing panics, frames lie within our buffers, and no buffer is lent
// while the device has it.
func FuzzHostileDevice(f *testing.F) {
	f.Add(uint64(everything), []byte{})
	f.Add(uint64(everything), []byte("\x00\x00\x3c\x01\x03\x03\x03\x04\x05\x06"))
	f.Add(uint64(featVersion1), []byte("\x01\xff\xff\x00\x03\x03\x02\x10\x20\x03\x04"))
	f.Add(uint64(everything), []byte("\x07\x01\x05\x00\x00\x3f\x02\x00\x01\x3f\x02\x03\x03\x04\x04\x06\x06\x05"))
	f.Add(uint64(featVersion1|featMrgRxbuf), []byte("\x00\x00\xff\x02\x00\x01\xff\x00\x00\x00\xff\x01\x03\x03\x03\x02\x80\x80\x03"))
	f.Fuzz(func(t *testing.T, features uint64, script []byte) {
		m := newModel(features&everything | featVersion1)
		m.entries = 16
		d := openModel(t, m, options{bufferSize: 256})
		rx, tx := &m.rings[receiveQueue], &m.rings[sendQueue]
		next := func() (b byte) {
			if len(script) > 0 {
				b, script = script[0], script[1:]
			}
			return b
		}
		var lent []nic.Frame
		var batch [5]nic.Frame
		packet := []nic.Packet{{Head: make([]byte, 60)}, {Head: make([]byte, 14)}}
		for len(script) > 0 {
			switch next() % 8 {
			case 0: // a used entry for a buffer, perhaps one we do not have
				id := uint32(next())
				if id < 16 {
					b := at((*word[descriptor](rx.desc + 16*uintptr(id))).addr, 12)
					b[10], b[11] = next()%8, next()&next()&next()
				}
				length := uint32(next())
				if id&0x80 != 0 {
					id |= 0xffff0000
					length *= 0x1010101
				}
				rx.put(id, length)
			case 1:
				tx.put(uint32(next())*uint32(next()), uint32(next()))
			case 2: // the index jumps
				rx.done += uint16(next())
			case 3:
				m.tell(receiveQueue)
				m.tell(sendQueue)
			case 4:
				n := d.Receive(batch[:])
				for i := range batch[:n] {
					check(t, d, &batch[i])
				}
				lent = append(lent, batch[:n]...)
			case 5:
				d.Release(lent)
				lent = nil
			case 6:
				d.Send(packet)
				if queued, done := d.Completed(); done > queued {
					t.Fatalf("%d of %d packets are done", done, queued)
				}
			case 7:
				d.Arm()
			}
		}
		d.Release(lent)
		for i := range d.rx.posted {
			if d.rx.posted[i] == d.rx.idle[i] {
				t.Errorf("buffer %d: posted %t, idle %t", i, d.rx.posted[i], d.rx.idle[i])
			}
		}
	})
}

// FuzzHostilePacked is FuzzHostileDevice for packed queues, where the device writes into the
// descriptors themselves.
func FuzzHostilePacked(f *testing.F) {
	f.Add(uint64(everything), []byte{})
	f.Add(uint64(everything), []byte("\x00\x00\x00\x00\x3c\x00\x80\x01\x03\x04\x05\x02\x00\x00\x00\x00\x00\x80\x06"))
	f.Add(uint64(featVersion1), []byte("\x00\x01\xff\xff\xff\x00\x80\x03\x03\x04\x01\x00\x00\x00\x00\x00\x80\x05"))
	f.Add(uint64(featVersion1|featMrgRxbuf), []byte("\x00\x00\x00\x00\x3c\x00\x80\x02\x00\x00\x00\x01\x3c\x00\x80\x01\x02\x02\x03"))
	f.Fuzz(func(t *testing.T, features uint64, script []byte) {
		m := newModel(features&everything | featVersion1 | featPacked)
		m.entries = 16
		d := openModel(t, m, options{bufferSize: 256})
		next := func() (b byte) {
			if len(script) > 0 {
				b, script = script[0], script[1:]
			}
			return b
		}
		var lent []nic.Frame
		var batch [5]nic.Frame
		packet := []nic.Packet{{Head: make([]byte, 60)}, {Head: make([]byte, 14)}}
		for len(script) > 0 {
			switch op := next() % 7; op {
			case 0, 1: // anything in the next used descriptor of a queue, or in another one
				r := &m.packed[op]
				a := r.desc + 16*uintptr((r.used.index+uint16(next()))%r.size)
				id := uint32(next())
				*word[uint32](a + 8) = uint32(next()) * (1 + id&0x80*0x10101)
				*word[uint32](a + 12) = id&0x1f | uint32(next())<<16 | uint32(next())<<24
				r.used.advance(1, r.size)
			case 2: // how many buffers a frame says it has
				b := d.rx.memory[int(next()&15)*256:]
				b[10], b[11] = next()%8, next()&next()&next()
			case 3:
				n := d.Receive(batch[:])
				for i := range batch[:n] {
					check(t, d, &batch[i])
				}
				lent = append(lent, batch[:n]...)
			case 4:
				d.Release(lent)
				lent = nil
			case 5:
				d.Send(packet)
				if queued, done := d.Completed(); done > queued {
					t.Fatalf("%d of %d packets are done", done, queued)
				}
			case 6:
				*word[uint32](m.packed[sendQueue].device) = uint32(next())<<16 | uint32(next())<<8 | uint32(next())
				d.Arm()
			}
		}
		d.Release(lent)
		for i := range d.rx.posted {
			if d.rx.posted[i] == d.rx.idle[i] {
				t.Errorf("buffer %d: posted %t, idle %t", i, d.rx.posted[i], d.rx.idle[i])
			}
		}
	})
}

// check reports a frame whose bytes the device may still write.
func check(t *testing.T, d *Device, f *nic.Frame) {
	if len(f.Bytes) < 14 || len(f.Bytes) > d.rx.maxFrame || cap(f.Bytes) != len(f.Bytes) {
		t.Fatalf("frame of %d bytes, capacity %d", len(f.Bytes), cap(f.Bytes))
	}
	if f.Cookie&cookieJoined != 0 {
		return
	}
	first, count := int(uint16(f.Cookie)), int(f.Cookie>>cookieCount)
	for b := first; b < first+count; b++ {
		if d.rx.posted[b] || d.rx.idle[b] {
			t.Fatalf("buffer %d is lent and posted %t, idle %t", b, d.rx.posted[b], d.rx.idle[b])
		}
	}
}
