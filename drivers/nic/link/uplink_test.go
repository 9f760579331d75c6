//go:build !metal

package link

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"nuos/drivers/nic"
	"nuos/mm"
)

var observer = nic.MAC{2, 0, 0, 0, 0, 0x77}

// withUplink is a cable of which one end has an uplink, and the switch's side of that.
func withUplink(t *testing.T) (a, b *Device, sw net.Conn) {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "switch"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, end := range []struct {
		d      **Device
		uplink string
	}{{&a, l.Addr().String()}, {&b, ""}} {
		d, err := Open(filepath.Join(dir, "cable"), end.uplink)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		*end.d = d
	}
	if sw, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sw.Close() })
	sw.SetDeadline(time.Now().Add(time.Minute))
	waitFor(t, "both ends", func() bool { return plugged(a) && plugged(b) })
	return a, b, sw
}

func frameOf(to, from nic.MAC, payload string) []byte {
	return append(append(append(append([]byte(nil), to[:]...), from[:]...), 0x88, 0xb5), payload...)
}

func put(t *testing.T, sw net.Conn, frame []byte) {
	t.Helper()
	if _, err := sw.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
		t.Fatal(err)
	}
}

// next waits as the pump does, and returns the next frame.
func next(t *testing.T, d *Device) []byte {
	t.Helper()
	var batch [1]nic.Frame
	for d.Receive(batch[:]) == 0 {
		if d.Arm() {
			if err := d.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := bytes.Clone(batch[0].Whole())
	d.Release(batch[:])
	return f
}

// TestUplink has somebody at the switch speak to a machine: it gets what is for it or for all, its
// answers go back, and nothing else goes there.
func TestUplink(t *testing.T) {
	a, b, sw := withUplink(t)
	own, peer := a.Info().MAC, b.Info().MAC
	put(t, sw, frameOf(peer, observer, "not for this machine"))
	put(t, sw, frameOf(own, nic.MAC{3}, "from a group"))
	for _, to := range []nic.MAC{own, nic.Broadcast} {
		want := frameOf(to, observer, "question")
		put(t, sw, want)
		if got := next(t, a); !bytes.Equal(got, want) {
			t.Fatalf("got %q; want %q", got, want)
		}
	}
	memory := gathered(t, mm.PageSize)
	copy(mm.Bytes(memory), "gathered")
	toPeer, toAll, answer := frameOf(peer, own, "to the peer"), frameOf(nic.Broadcast, own, "to all"), frameOf(observer, own, "answer, ")
	if n := a.Send([]nic.Packet{{Head: toPeer}, {Head: answer, Gather: []mm.Range{{Base: memory.Base, Size: 8}}}, {Head: toAll}}); n != 3 {
		t.Fatalf("Send = %d", n)
	}
	want := append(answer, "gathered"...)
	got := make([]byte, 4+len(want))
	if _, err := io.ReadFull(sw, got); err != nil || !bytes.Equal(got[4:], want) || binary.BigEndian.Uint32(got) != uint32(len(want)) {
		t.Errorf("the switch got %q, %v; want %q", got, err, want)
	}
	for _, want := range [][]byte{toPeer, toAll} {
		if got := next(t, b); !bytes.Equal(got, want) {
			t.Errorf("the peer got %q; want %q", got, want)
		}
	}
	waitFor(t, "all packets to be over", func() bool { queued, done := a.Completed(); return queued == 3 && done == 3 })
	a.Close()
	if n, err := sw.Read(got); n != 0 || err != io.EOF {
		t.Errorf("the switch got %q, %v after that; want nothing", got[:n], err)
	}
}

// TestUplinkNonsense has the switch say nonsense, which ends the stream, and the cable goes on.
func TestUplinkNonsense(t *testing.T) {
	for name, nonsense := range map[string][]byte{
		"short":   {0, 0, 0, 13},
		"long":    {0xff, 0xff, 0xff, 0xff},
		"the end": nil,
	} {
		t.Run(name, func(t *testing.T) {
			a, b, sw := withUplink(t)
			put(t, sw, frameOf(a.Info().MAC, observer, "question"))
			next(t, a)
			sw.Write(nonsense)
			if nonsense == nil {
				sw.Close()
			} else if _, err := sw.Read(make([]byte, 1)); err == nil {
				t.Error("the stream goes on")
			}
			a.Send([]nic.Packet{{Head: frameOf(observer, a.Info().MAC, "answer")}, {Head: frameOf(b.Info().MAC, a.Info().MAC, "x")}})
			if got := next(t, b); string(got[ethernetHeader:]) != "x" {
				t.Errorf("the peer got %q; want x", got)
			}
		})
	}
}

// TestUplinkFull has more come than there is room for: the rest is lost, and nothing else.
func TestUplinkFull(t *testing.T) {
	a, _, sw := withUplink(t)
	for range 2 * uplinkQueue {
		put(t, sw, frameOf(a.Info().MAC, observer, "question"))
	}
	waitFor(t, "a full queue", func() bool { return a.uplink.waiting.Load() == uplinkQueue })
	for range uplinkQueue {
		next(t, a)
	}
}

// TestUplinkGuests has more come than are remembered.
func TestUplinkGuests(t *testing.T) {
	u := &uplink{}
	for i := range 10 * maxGuests {
		u.meet(nic.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)})
		if n := len(*u.guests.Load()); n > maxGuests {
			t.Fatalf("%d are remembered", n)
		}
	}
	if !(*u.guests.Load())[nic.MAC{2, 0, 0, 0, byte((10*maxGuests - 1) >> 8), (10*maxGuests - 1) & 0xff}] {
		t.Error("the last is forgotten")
	}
}
