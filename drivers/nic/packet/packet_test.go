//go:build !metal

package packet

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"nuos/drivers/nic"
	"nuos/mm"
)

// open opens the loopback interface, on which every frame that is sent arrives.
func open(t *testing.T) *Device {
	t.Helper()
	d, err := Open("lo")
	if errors.Is(err, os.ErrPermission) {
		t.Skip("only who may open raw sockets can have an interface as a card:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// frame is one that nobody else on this computer looks at (IEEE Std 802, for experiments).
func frame(n int, what byte) []byte {
	f := bytes.Repeat([]byte{what}, n)
	clear(f[:12])
	f[12], f[13] = 0x88, 0xb5
	return f
}

// receive waits for the next of our frames.
func receive(t *testing.T, d *Device) []byte {
	t.Helper()
	batch := make([]nic.Frame, 1)
	for {
		if n := d.Receive(batch); n == 1 {
			if f := batch[0].Bytes; f[12] == 0x88 && f[13] == 0xb5 {
				return bytes.Clone(f)
			}
			d.Release(batch[:n])
		} else if d.Arm() {
			if err := d.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSendReceive sends frames of all lengths, whole and in pieces.
func TestSendReceive(t *testing.T) {
	d := open(t)
	memory, err := mm.AllocDMA(64 << 10)
	if err != nil {
		t.Fatal(err)
	}
	defer mm.FreeDMA(memory)
	for i, n := range []int{14, 60, 1514, 9014, 14 + d.info.MTU} {
		want := frame(n, byte(i))
		cut := 14 + (n-14)/3
		copy(mm.Bytes(memory), want[cut:])
		middle := uint64(n-cut) / 2
		for _, p := range []nic.Packet{
			{Head: want},
			{Head: want[:cut], Gather: []mm.Range{{Base: memory.Base, Size: middle}, {Base: memory.Base + mm.Virt(middle), Size: uint64(n-cut) - middle}}},
		} {
			if uint64(n-cut) > uint64(len(mm.Bytes(memory))) {
				t.Fatalf("%d bytes do not fit", n)
			}
			if sent := d.Send([]nic.Packet{p}); sent != 1 {
				t.Fatalf("%d bytes: %d sent", n, sent)
			}
			if got := receive(t, d); !bytes.Equal(got, want) {
				t.Errorf("%d bytes became %d, or others", n, len(got))
			}
		}
	}
	if queued, done := d.Completed(); queued != 10 || done != 10 {
		t.Errorf("queued %d, done %d, want 10", queued, done)
	}
	if s := d.Stats(); s.TxFrames != 10 || s.SendErrors != 0 {
		t.Errorf("%+v", s)
	}
}

// TestNeverSent: packets that can never be sent count as queued, and those beside them are sent.
func TestNeverSent(t *testing.T) {
	d := open(t)
	good := nic.Packet{Head: frame(60, 7)}
	batch := []nic.Packet{
		{Head: frame(14+d.info.MTU+1, 1)},
		good,
		{Head: frame(60, 1)[:13]},
		{Head: frame(60, 1), Gather: make([]mm.Range, maxPieces)},
		{Head: frame(60, 1), Gather: []mm.Range{{Base: mm.HeapArea.Base, Size: 100}}},
		good,
	}
	if n := d.Send(batch); n != len(batch) {
		t.Errorf("%d of %d queued", n, len(batch))
	}
	for range 2 {
		if got := receive(t, d); !bytes.Equal(got, good.Head) {
			t.Errorf("received %x", got)
		}
	}
	if s := d.Stats(); s.SendErrors != 4 || s.TxFrames != 2 {
		t.Errorf("%+v", s)
	}
}

// TestWaitAfterAnotherReceives: the event of a frame comes though somebody else has taken it.
func TestWaitAfterAnotherReceives(t *testing.T) {
	d := open(t)
	for !d.Arm() { // what is on the interface anyway
		d.Receive(make([]nic.Frame, buffers))
	}
	d.Send([]nic.Packet{{Head: frame(60, 1)}})
	receive(t, d)
	if err := d.Wait(); err != nil {
		t.Error(err)
	}
}

func TestClose(t *testing.T) {
	d := open(t)
	ended := make(chan error)
	go func() {
		for {
			if err := d.Wait(); err != nil {
				ended <- err
				return
			}
			d.Receive(make([]nic.Frame, buffers))
			d.Arm()
		}
	}()
	d.Close()
	if err := <-ended; err != nic.ErrClosed {
		t.Errorf("Wait: %v, want %v", err, nic.ErrClosed)
	}
}

// TestAllocations: neither sending nor receiving allocates.
func TestAllocations(t *testing.T) {
	d := open(t)
	out, in := []nic.Packet{{Head: frame(60, 1)}}, make([]nic.Frame, buffers)
	if n := testing.AllocsPerRun(500, func() {
		d.Send(out)
		for d.Receive(in) == 0 {
		}
		d.Arm()
	}); n != 0 {
		t.Errorf("%v objects for a frame there and back", n)
	}
}
