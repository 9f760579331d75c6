// Command echo is a machine that answers test frames: what the NIC driver's
// tests boot. Its frames are of type 0x88b5, IEEE 802's for experiments; the
// byte after the Ethernet header says what is asked.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"

	"nuos/drivers/nic"
	"nuos/drivers/nic/port"
	"nuos/mm"
)

func main() {
	p, err := port.Open()
	if err != nil {
		fmt.Println("echo:", err)
		os.Exit(3)
	}
	fmt.Printf("echo: %s %v MTU %d address %v\n", p.Info().Name, p.MAC(), p.MTU(), p.Addr())
	m := &machine{port: p, quit: make(chan struct{}), burst: make(chan []byte, 8)}
	p.Claim(isTest, m.answer)
	fmt.Println("echo: ready")
	for {
		select {
		case order := <-m.burst:
			m.send(order)
		case <-m.quit:
			if err := p.Close(); err != nil {
				fmt.Println("echo: close:", err)
				os.Exit(4)
			}
			fmt.Println("echo: closed, device memory", mm.Frames().DMA)
			return
		}
	}
}

func isTest(f []byte) bool { return len(f) >= 32 && f[12] == 0x88 && f[13] == 0xb5 }

type machine struct {
	port  *port.Port
	sunk  atomic.Uint64
	quit  chan struct{}
	burst chan []byte
	reply [9014]byte
	one   [1]nic.Packet
}

// answer runs in the poller.
func (m *machine) answer(f []byte) {
	switch f[14] {
	case 'e': // the same back
		m.back(f)
	case 's': // count it
		m.sunk.Add(1)
	case 'q': // the counters back
		s := m.port.Stats()
		m.numbers(f, m.sunk.Load(), s.RxFrames, s.TxFrames, s.RxErrors+s.SendErrors+s.DeviceErrors, s.Kicks, s.Events)
	case 'b': // send a burst
		m.burst <- append([]byte(nil), f[:32]...)
	case 'x':
		close(m.quit)
	}
}

func (m *machine) numbers(f []byte, numbers ...uint64) {
	n := copy(m.reply[:], f[:16])
	for _, v := range numbers {
		binary.BigEndian.PutUint64(m.reply[n:], v)
		n += 8
	}
	m.back(m.reply[:n])
}

// back sends f to where it came from. It runs in the poller only.
func (m *machine) back(f []byte) {
	n := copy(m.reply[:], f)
	mac := m.port.MAC()
	copy(m.reply[0:6], m.reply[6:12])
	copy(m.reply[6:12], mac[:])
	m.one[0].Head = m.reply[:n]
	m.port.Send(m.one[:])
}

// send sends as many frames as the order says at 16, of the length it says at
// 20, in which the number of the frame follows the kind 'd'. All but the head
// of a frame is gathered from a heap.
func (m *machine) send(order []byte) {
	count, size := binary.BigEndian.Uint32(order[16:]), int(binary.BigEndian.Uint32(order[20:]))
	heap := mm.Range{Base: mm.HeapArea.Base, Size: 4 * mm.PageSize}
	if err := mm.Map(heap); err != nil {
		fmt.Println("echo:", err)
		os.Exit(5)
	}
	for i, b := 0, mm.Bytes(heap); i < len(b); i++ {
		b[i] = byte(i * 7)
	}
	mac := m.port.MAC()
	var heads [32][32]byte
	var packets [32]nic.Packet
	for i := range packets {
		h := heads[i][:]
		copy(h, order[6:12])
		copy(h[6:], mac[:])
		h[12], h[13], h[14] = 0x88, 0xb5, 'd'
		packets[i].Head = h
		if size > 32 {
			packets[i].Gather = []mm.Range{{Base: heap.Base + 100, Size: uint64(size - 32)}}
		}
	}
	for next := uint32(0); next < count; {
		n := min(uint32(len(packets)), count-next)
		for i := range n {
			binary.BigEndian.PutUint32(heads[i][16:], next+i)
		}
		for rest := packets[:n]; len(rest) > 0; {
			k := m.port.Send(rest)
			rest = rest[k:]
			if k == 0 {
				runtime.Gosched()
			}
		}
		next += n
	}
	for queued, done := m.port.Completed(); done != queued; queued, done = m.port.Completed() {
		runtime.Gosched()
	}
	if err := mm.Unmap(heap); err != nil {
		fmt.Println("echo:", err)
		os.Exit(6)
	}
}
