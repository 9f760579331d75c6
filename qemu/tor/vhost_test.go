package tor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func storeIndex(head *uint32, index uint16) { atomic.StoreUint32(head, uint32(index)<<16) }
func loadIndex(head *uint32) uint16         { return uint16(atomic.LoadUint32(head) >> 16) }

var frontendMAC = [6]byte{2, 0, 0, 0, 0, 9}

func TestVhostConfig(t *testing.T) {
	f := newFrontend(t, newSwitch(t), 0)
	if got := binary.NativeEndian.Uint64(f.ask(getFeatures, nil)); got != featsOffered {
		t.Errorf("features %#x; want %#x", got, uint64(featsOffered))
	}
	request := append(numbers(configSpaceLen<<32, 0)[:12], make([]byte, configSpaceLen)...)
	want := append(request[:12:12], 2, 0, 0, 0, 0, 9, 1, 0, 1, 0, 0x28, 0x23)
	if got := f.ask(getConfig, request); !bytes.Equal(got, want) {
		t.Errorf("configuration % x; want % x", got, want)
	}
	request[0] = 250 // beyond the end
	if got := f.ask(getConfig, request); got == nil || len(got) != 0 {
		t.Errorf("configuration beyond its end: % x; want an empty reply", got)
	}
}

func TestVhostSend(t *testing.T) {
	for _, features := range []uint64{0, featEventIdx} {
		sw := newSwitch(t)
		f, p := newFrontend(t, sw, features), newPeer(t, sw, 1)
		f.start()
		want := frame(everybody, frontendMAC, 5, 3000)
		all := append(make([]byte, netHeader), want...)
		copy(f.mem[bufferBase:], all)
		// The header and the frame are cut anywhere.
		f.offer(sendQueue, 3,
			descriptor{addr: bufferBase, len: 5},
			descriptor{addr: bufferBase + 5, len: 20},
			descriptor{addr: bufferBase + 25, len: uint32(len(all) - 25)})
		f.kick(sendQueue)
		if got := p.receive(); !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, want %d", len(got), len(want))
		}
		if e := f.used(sendQueue); e.id != 3 {
			t.Errorf("used entry %+v; want chain 3", e)
		}
		// The ring goes round, with new kicks.
		for i := range 3 * ringSize {
			copy(f.mem[bufferBase:], append(make([]byte, netHeader), frame(everybody, frontendMAC, i, 60)...))
			f.offer(sendQueue, uint16(i%ringSize), descriptor{addr: bufferBase, len: netHeader + 60})
			f.kick(sendQueue)
			if got := p.receive(); numberOf(got) != i {
				t.Fatalf("got frame %d; want %d", numberOf(got), i)
			}
			f.used(sendQueue)
		}
	}
}

func TestVhostReceive(t *testing.T) {
	const size = 1024 // of each buffer
	for _, features := range []uint64{0, featEventIdx, featMrgRxbuf, featMrgRxbuf | featEventIdx} {
		sw := newSwitch(t)
		f, p := newFrontend(t, sw, features), newPeer(t, sw, 1)
		f.start()
		for i := range uint16(16) {
			f.offer(receiveQueue, i, descriptor{addr: bufferBase + uint64(i)*size, len: size, flags: descWrite})
		}
		f.kick(receiveQueue)
		big := frame(frontendMAC, p.mac, 1, 5000)
		small := frame(frontendMAC, p.mac, 2, 60)
		p.send(big, small)
		var got [][]byte
		if features&featMrgRxbuf != 0 {
			got = append(got, f.receive(size), f.receive(size))
		} else { // a frame that does not fit into one chain is nobody's
			got = append(got, big, f.receive(size))
			if s := f.port.Stats(); s.Refused != 1 {
				t.Errorf("features %#x: %+v; want one frame refused", features, s)
			}
		}
		if !bytes.Equal(got[0], big) || !bytes.Equal(got[1], small) {
			t.Errorf("features %#x: got %d and %d bytes, want %d and %d", features, len(got[0]), len(got[1]), len(big), len(small))
		}
		if err := waitKick(f.rings[receiveQueue].call, within); err != nil {
			t.Errorf("features %#x: no call: %v", features, err)
		}
		// Buffers run out; frames wait for more.
		for i := range 64 {
			p.send(frame(frontendMAC, p.mac, i, 900))
		}
		for i := range 64 {
			if i%8 == 0 {
				for j := range 8 {
					k := 16 + (i+j)%48 // long read when its turn comes again
					f.offer(receiveQueue, uint16(k), descriptor{addr: bufferBase + uint64(k)*size, len: size, flags: descWrite})
				}
				f.kick(receiveQueue)
			}
			if got := numberOf(f.receive(size)); got != i {
				t.Fatalf("features %#x: got frame %d; want %d", features, got, i)
			}
		}
	}
}

// receive puts the next frame together again. Buffers are of that size, in the
// order of the descriptors.
func (f *frontend) receive(size uint32) []byte {
	f.t.Helper()
	e := f.used(receiveQueue)
	at := bufferBase + e.id*size
	count := binary.LittleEndian.Uint16(f.mem[at+10:])
	got := append([]byte(nil), f.mem[at+netHeader:at+e.len]...)
	for range count - 1 {
		e = f.used(receiveQueue)
		at = bufferBase + e.id*size
		got = append(got, f.mem[at:at+e.len]...)
	}
	return got
}

// Each of these ends the connection of the one who did it, with a count, and
// nothing else.
func TestVhostHostile(t *testing.T) {
	bad := map[string]func(*frontend){
		"features not offered":     func(f *frontend) { f.message(setFeatures, 0, numbers(1)) },
		"short payload":            func(f *frontend) { f.message(setFeatures, 0, []byte{1}) },
		"unknown request":          func(f *frontend) { f.message(99, 0, nil) },
		"long payload":             func(f *frontend) { f.message(setFeatures, 0, make([]byte, maxPayload+1)) },
		"reply as request":         func(f *frontend) { f.message(getFeatures, flagReply, nil) },
		"no regions":               func(f *frontend) { f.message(setMemTable, 0, numbers(0)) },
		"too many regions":         func(f *frontend) { f.message(setMemTable, 0, numbers(1<<31), f.memfd) },
		"region without file":      func(f *frontend) { f.message(setMemTable, 0, f.memTable()) },
		"region beyond its file":   func(f *frontend) { f.message(setMemTable, 0, numbers(1, 0, memSize+1, userBase, 0), f.memfd) },
		"region that wraps":        func(f *frontend) { f.message(setMemTable, 0, numbers(1, 1<<63, 1<<63+1, userBase, 0), f.memfd) },
		"region at a wild offset":  func(f *frontend) { f.message(setMemTable, 0, numbers(1, 0, 4096, userBase, 1<<63), f.memfd) },
		"memory that is an event":  func(f *frontend) { f.message(setMemTable, 0, f.memTable(), int(f.rings[0].kick.Fd())) },
		"ring of 3":                func(f *frontend) { f.message(setVringNum, 0, state(0, 3)) },
		"ring of 0":                func(f *frontend) { f.message(setVringNum, 0, state(0, 0)) },
		"queue 2":                  func(f *frontend) { f.message(setVringNum, 0, state(2, 64)) },
		"kick that is a file":      func(f *frontend) { f.message(setVringKick, 0, numbers(0), f.memfd) },
		"kick without descriptor":  func(f *frontend) { f.message(setVringKick, 0, numbers(0)) },
		"queue without kicks":      func(f *frontend) { f.message(setVringKick, 0, numbers(vringNoFD)) },
		"start without memory":     func(f *frontend) { f.message(setVringKick, 0, numbers(0), int(f.rings[0].kick.Fd())) },
		"change of a running ring": func(f *frontend) { f.start(); f.message(setVringNum, 0, state(1, 32)) },
		"ring outside memory": func(f *frontend) {
			f.start()
			f.ask(getVringBase, state(1, 0))
			f.message(setVringAddr, 0, numbers(1, 1, 2, 3, 0))
			f.message(setVringKick, 0, numbers(1), int(f.rings[1].kick.Fd()))
		},
		"memory moved away under a running ring": func(f *frontend) {
			f.start()
			f.message(setMemTable, 0, numbers(1, 0, memSize, 4096, 0), f.memfd)
		},
		"descriptor outside memory": func(f *frontend) {
			f.start()
			f.offer(sendQueue, 0, descriptor{addr: memSize - 10, len: 60})
			f.kick(sendQueue)
		},
		"descriptor that wraps": func(f *frontend) {
			f.start()
			f.offer(sendQueue, 0, descriptor{addr: 1<<64 - 1, len: 60})
			f.kick(sendQueue)
		},
		"chain that is a loop": func(f *frontend) {
			f.start()
			f.offer(sendQueue, 0, descriptor{addr: 0, len: 1, flags: descNext, next: 0})
			f.kick(sendQueue)
		},
		"chain that leaves the ring": func(f *frontend) {
			f.start()
			f.offer(sendQueue, 0, descriptor{addr: 0, len: 1, flags: descNext, next: ringSize})
			f.kick(sendQueue)
		},
		"head outside the ring": func(f *frontend) {
			f.start()
			f.rings[sendQueue].avail[0] = 0xffff
			storeIndex(f.rings[sendQueue].availHead, 1)
			f.kick(sendQueue)
		},
		"writable descriptor to send": func(f *frontend) {
			f.start()
			f.offer(sendQueue, 0, descriptor{addr: 0, len: 100, flags: descWrite})
			f.kick(sendQueue)
		},
		"indirect descriptor": func(f *frontend) {
			f.start()
			f.offer(sendQueue, 0, descriptor{addr: 0, len: 32, flags: descIndirect})
			f.kick(sendQueue)
		},
		"index that jumps": func(f *frontend) {
			f.start()
			storeIndex(f.rings[sendQueue].availHead, ringSize+1)
			f.kick(sendQueue)
		},
		"memory that vanishes": func(f *frontend) {
			f.start()
			unix.Ftruncate(f.memfd, 0)
			f.kick(sendQueue)
		},
	}
	for name, do := range bad {
		t.Run(name, func(t *testing.T) {
			sw := newSwitch(t)
			f, a, b := newFrontend(t, sw, featMrgRxbuf), newPeer(t, sw, 1), newPeer(t, sw, 2)
			do(f)
			f.conn.SetReadDeadline(time.Now().Add(within))
			if _, err := io.Copy(io.Discard, f.conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the back-end did not hang up")
			}
			eventually(t, "it is counted", func() bool { return f.port.Stats().Bad > 0 })
			a.send(frame(b.mac, a.mac, 1, 60))
			if got := b.receive(); numberOf(got) != 1 {
				t.Errorf("the others got frame %d; want 1", numberOf(got))
			}
		})
	}
}

// Buffers that cannot be written, found when a frame is delivered from
// somebody else's goroutine.
func TestVhostHostileReceiver(t *testing.T) {
	bad := map[string]func(*frontend){
		"read-only buffer": func(f *frontend) { f.offer(receiveQueue, 0, descriptor{addr: 0, len: 4096}) },
		"buffer outside":   func(f *frontend) { f.offer(receiveQueue, 0, descriptor{addr: memSize, len: 4096, flags: descWrite}) },
		"index that jumps": func(f *frontend) { storeIndex(f.rings[receiveQueue].availHead, 1000) },
		"memory vanishes":  func(f *frontend) { unix.Ftruncate(f.memfd, 0) },
	}
	for name, do := range bad {
		t.Run(name, func(t *testing.T) {
			sw := newSwitch(t)
			f, a, b := newFrontend(t, sw, featMrgRxbuf), newPeer(t, sw, 1), newPeer(t, sw, 2)
			f.start()
			do(f)
			a.send(frame(everybody, a.mac, 1, 60))
			if got := b.receive(); numberOf(got) != 1 {
				t.Errorf("the others got frame %d; want 1", numberOf(got))
			}
			eventually(t, "the port is unplugged", func() bool { return !f.port.Plugged() })
		})
	}
}

// A queue that is stopped and started again goes on where it was.
func TestVhostRestartsQueue(t *testing.T) {
	sw := newSwitch(t)
	f, p := newFrontend(t, sw, 0), newPeer(t, sw, 1)
	f.start()
	for i := range 5 {
		copy(f.mem[bufferBase:], append(make([]byte, netHeader), frame(everybody, frontendMAC, i, 60)...))
		f.offer(sendQueue, uint16(i), descriptor{addr: bufferBase, len: netHeader + 60})
		f.kick(sendQueue)
		if got := p.receive(); numberOf(got) != i {
			t.Fatalf("got frame %d; want %d", numberOf(got), i)
		}
		f.used(sendQueue)
		base := f.ask(getVringBase, state(sendQueue, 0))
		if n := binary.NativeEndian.Uint32(base[4:]); n != uint32(i+1) {
			t.Fatalf("base %d; want %d", n, i+1)
		}
		f.message(setVringBase, 0, state(sendQueue, i+1))
		f.message(setVringKick, 0, numbers(sendQueue), int(f.rings[sendQueue].kick.Fd()))
		f.message(setVringEnable, 0, state(sendQueue, 1))
		f.sync()
	}
}

// A queue may be enabled before it is started, as QEMU does when it connects, and stays so.
func TestVhostEnablesFirst(t *testing.T) {
	sw := newSwitch(t)
	f, p := newFrontend(t, sw, 0), newPeer(t, sw, 1)
	for i := range f.rings {
		f.message(setVringEnable, 0, state(i, 1))
	}
	f.prepare()
	f.sync()
	copy(f.mem[bufferBase:], append(make([]byte, netHeader), frame(everybody, frontendMAC, 7, 60)...))
	f.offer(sendQueue, 0, descriptor{addr: bufferBase, len: netHeader + 60})
	f.kick(sendQueue)
	if got := p.receive(); numberOf(got) != 7 {
		t.Errorf("got frame %d; want 7", numberOf(got))
	}
}

// A machine that is started again takes the place of the one before, also when
// nobody has noticed yet that it is dead.
func TestVhostReconnects(t *testing.T) {
	sw := newSwitch(t)
	first, p := newFrontend(t, sw, 0), newPeer(t, sw, 1)
	first.start()
	second := connectFrontend(t, first.port, first.path, 0)
	second.start()
	for i := range 3 {
		copy(second.mem[bufferBase:], append(make([]byte, netHeader), frame(everybody, frontendMAC, i, 60)...))
		second.offer(sendQueue, uint16(i), descriptor{addr: bufferBase, len: netHeader + 60})
		second.kick(sendQueue)
		if got := p.receive(); numberOf(got) != i {
			t.Fatalf("got frame %d; want %d", numberOf(got), i)
		}
		second.used(sendQueue)
	}
	if first.ask(getFeatures, nil) != nil {
		t.Error("the first connection still stands")
	}
}

// Any bytes as messages, in any order, with the right kinds of descriptors and
// rings full of the same bytes: nothing may crash or hang.
func FuzzVhost(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{2, 8, 0, 0, 0, 0, 1, 0, 0, 0, 5, 40, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		sw := New(1)
		defer sw.Close()
		fe := newFrontend(t, sw, featMrgRxbuf)
		if len(data)%2 == 0 {
			fe.start()
		}
		for i := range fe.rings {
			copy(fe.mem[2*i*ringBytes:], data)
			copy(fe.mem[(2*i+1)*ringBytes:], data)
			fe.kick(i)
		}
		for len(data) > 2 {
			r, n := request(data[0]%27), min(int(data[1]), len(data)-2)
			payload := data[2 : 2+n]
			data = data[2+n:]
			switch r {
			case setMemTable:
				fe.message(r, 0, payload, fe.memfd)
			case setVringKick, setVringCall:
				fe.message(r, 0, payload, int(fe.rings[n%2].kick.Fd()))
			default:
				fe.message(r, 0, payload)
			}
		}
		fe.port.Inject(frame(everybody, everybody, 1, 60))
	})
}
