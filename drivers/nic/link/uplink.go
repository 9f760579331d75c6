//go:build !metal

package link

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"nuos/drivers/nic"
	"nuos/mm"
)

// uplink is how others than the machine at the other end of the cable reach this one: a stream
// of frames, each after its length (32 bits, most significant byte first), to a switch where
// observers are. What comes from there is received like other frames; only what is for
// somebody who has been heard there is sent there, so that no frame takes both ways. Nothing
// of it is quick, and none of it costs anything while nobody is there but a look at a word.
type uplink struct {
	conn   *net.UnixConn
	own    nic.MAC
	event  *os.File // of the device: readable when there is a frame
	guests atomic.Pointer[map[nic.MAC]bool]
	out    chan []byte // for the stream, lengths and frames
	ended  sync.WaitGroup

	waiting atomic.Int32 // len(frames)
	mu      sync.Mutex
	frames  [][]byte // received
	closed  bool     // out is
}

const (
	maxGuests   = 64                        // more, and all are forgotten
	uplinkQueue = 256                       // frames in each direction; more are lost
	maxUplink   = ethernetHeader + 9000 + 4 // bytes of a frame, one VLAN tag included
	uplinkFrame = 1 << 63                   // cookie of a frame that came that way
)

// openUplink connects to the switch at a unix socket.
func openUplink(path string, own nic.MAC, event *os.File) (*uplink, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("uplink: %w", err)
	}
	u := &uplink{conn: conn, own: own, event: event, out: make(chan []byte, uplinkQueue)}
	u.ended.Go(u.read)
	u.ended.Go(u.write)
	return u, nil
}

// read takes frames until the stream ends, or is out of step.
func (u *uplink) read() {
	defer func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.closed = true
		close(u.out)
	}()
	in := bufio.NewReaderSize(u.conn, 64<<10)
	for {
		var length [4]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(length[:])
		if n < ethernetHeader || n > maxUplink {
			u.conn.Close()
			return
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(in, frame); err != nil {
			return
		}
		to, from := nic.MAC(frame[:6]), nic.MAC(frame[6:12])
		if to != u.own && to[0]&1 == 0 || from[0]&1 != 0 || from == u.own {
			continue
		}
		u.meet(from)
		u.mu.Lock()
		if len(u.frames) < uplinkQueue {
			u.frames = append(u.frames, frame)
			u.waiting.Store(int32(len(u.frames)))
		}
		u.mu.Unlock()
		// After waiting, which Arm looks at after it has armed: one of the two is noticed.
		u.event.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// meet notes that a is reached this way. Only read calls it.
func (u *uplink) meet(a nic.MAC) {
	guests := map[nic.MAC]bool{}
	if old := u.guests.Load(); old != nil {
		if (*old)[a] {
			return
		}
		if len(*old) < maxGuests {
			maps.Copy(guests, *old)
		}
	}
	guests[a] = true
	u.guests.Store(&guests)
}

// write sends what is queued until the stream has ended.
func (u *uplink) write() {
	for b := range u.out {
		u.conn.Write(b) // an error is the end of the stream, which read sees
	}
}

// send sends a packet if it is for somebody who is reached this way, and reports whether it is.
func (u *uplink) send(p *nic.Packet) bool {
	guests := u.guests.Load()
	if guests == nil || len(p.Head) < ethernetHeader || !(*guests)[nic.MAC(p.Head[:6])] {
		return false
	}
	b := append(make([]byte, 4, 4+len(p.Head)), p.Head...)
	for _, r := range p.Gather {
		b = append(b, mm.Bytes(r)...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	if len(b)-4 > maxUplink {
		return true // nobody there would take it
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.closed {
		select {
		case u.out <- b:
		default:
		}
	}
	return true
}

// receive takes frames that have come.
func (u *uplink) receive(batch []nic.Frame) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := min(len(batch), len(u.frames))
	for i, f := range u.frames[:n] {
		batch[i] = nic.Frame{Bytes: f, Cookie: uplinkFrame}
		u.frames[i] = nil
	}
	u.frames = u.frames[n:]
	u.waiting.Store(int32(len(u.frames)))
	return n
}

// close ends the stream, and returns when it has.
func (u *uplink) close() {
	u.conn.Close()
	u.ended.Wait()
}
