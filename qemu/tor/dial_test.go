package tor

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"nuos/drivers/nic"
)

var _ nic.Device = (*Client)(nil)

func listenClients(t testing.TB, sw *Switch, count int) string {
	path := filepath.Join(t.TempDir(), "s")
	err := sw.ListenClients(path, ClientConfig{
		MTU: 9000, First: netip.MustParsePrefix("10.77.0.200/24"), Count: count,
		Gateway: netip.MustParseAddr("10.77.0.1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func dial(t testing.TB, path string) *Client {
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// receiveOn waits for the next frame as the owner of a card does: receive,
// arm, wait for the event.
func receiveOn(t testing.TB, c *Client) []byte {
	t.Helper()
	var batch [1]nic.Frame
	for {
		if c.Receive(batch[:]) == 1 {
			f := append([]byte(nil), batch[0].Bytes...)
			c.Release(batch[:])
			return f
		}
		if c.Arm() {
			if err := c.Wait(); err != nil {
				t.Error(err)
				return make([]byte, headerLen+4)
			}
		}
	}
}

func TestDial(t *testing.T) {
	sw := newSwitch(t)
	path := listenClients(t, sw, 2)
	a, b := dial(t, path), dial(t, path)
	if a.Addr() == b.Addr() || a.Info().MAC == b.Info().MAC {
		t.Fatalf("two clients at %v, %v and %v, %v", a.Addr(), b.Addr(), a.Info().MAC, b.Info().MAC)
	}
	if _, err := Dial(path); err == nil {
		t.Error("a third client of two was let in")
	}
	big := frame(b.Info().MAC, a.Info().MAC, 1, 9014)
	small := frame(b.Info().MAC, a.Info().MAC, 2, 60)
	if n := a.Send([]nic.Packet{{Head: big}, {Head: make([]byte, 9015)}, {Head: nil}, {Head: small}}); n != 4 {
		t.Fatalf("Send = %d; want 4, two of them dropped", n)
	}
	if s := a.Stats(); s.TxFrames != 2 || s.SendErrors != 2 {
		t.Errorf("stats of the sender: %+v", s)
	}
	for _, want := range [][]byte{big, small} {
		if got := receiveOn(t, b); !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, frame %d; want %d bytes, frame %d", len(got), numberOf(got), len(want), numberOf(want))
		}
	}
	if queued, done := a.Completed(); queued != 4 || done != 4 {
		t.Errorf("Completed = %d, %d; want 4, 4", queued, done)
	}
	// A client that goes makes room, and its port goes with it.
	a.Close()
	eventually(t, "the port of a closed client is removed", func() bool { return len(sw.Ports()) == 1 })
	c := dial(t, path)
	if c.Addr() != netip.MustParsePrefix("10.77.0.200/24") {
		t.Errorf("the next client is at %v; want the free address", c.Addr())
	}
}

// Many frames in both directions, more than all buffers hold, arrive in order;
// a receiver that pauses loses none as long as the sender heeds Send.
func TestClientsUnderLoad(t *testing.T) {
	sw := newSwitch(t)
	path := listenClients(t, sw, 2)
	a, b := dial(t, path), dial(t, path)
	const count = 3000
	for _, pair := range [][2]*Client{{a, b}, {b, a}} {
		from, to := pair[0], pair[1]
		go func() {
			batch := make([]nic.Packet, 0, 32)
			for i := 0; i < count; {
				batch = batch[:0]
				for j := i; j < min(i+32, count); j++ {
					batch = append(batch, nic.Packet{Head: frame(to.Info().MAC, from.Info().MAC, j, 60+j*13%8900)})
				}
				n := from.Send(batch)
				if i += n; n < len(batch) {
					time.Sleep(time.Millisecond) // full
				}
			}
		}()
	}
	var both sync.WaitGroup
	for _, pair := range [][2]*Client{{a, b}, {b, a}} {
		from, to := pair[0], pair[1]
		both.Go(func() {
			for i := range count {
				got := receiveOn(t, to)
				if want := frame(to.Info().MAC, from.Info().MAC, i, 60+i*13%8900); !bytes.Equal(got, want) {
					t.Errorf("got %d bytes, frame %d; want %d bytes, frame %d", len(got), numberOf(got), len(want), i)
					return
				}
			}
		})
	}
	both.Wait()
}

func TestClientOfClosedSwitch(t *testing.T) {
	sw := newSwitch(t)
	c := dial(t, listenClients(t, sw, 1))
	sw.Close()
	eventually(t, "the client notices", func() bool { return c.Err() != nil })
	if !errors.Is(c.Err(), ErrClosed) {
		t.Errorf("Err = %v; want ErrClosed", c.Err())
	}
	if err := c.Wait(); !errors.Is(err, nic.ErrClosed) {
		t.Errorf("Wait = %v; want nic.ErrClosed", err)
	}
	if n := c.Send([]nic.Packet{{Head: frame(everybody, c.Info().MAC, 1, 60)}}); n != 1 {
		t.Errorf("Send on a dead link = %d; want 1, dropped", n)
	}
	if _, err := Dial(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Dial of no socket = %v; want ErrNotExist", err)
	}
}
