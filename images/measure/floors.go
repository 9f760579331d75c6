package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"nuos/drivers/nic"
	"nuos/drivers/nic/port"
)

// Floors are what no call and no move between these machines can be quicker than:
// copying the bytes once, and a frame there and back over the same link.

var copySizes = []int{64 << 10, 1 << 20, 16 << 20, 64 << 20}

func floors(p *port.Port) error {
	copies()
	return frames(p)
}

// copies measures memory copied by one processor, from where it is in no cache to where it
// is not, either.
func copies() {
	for _, size := range copySizes {
		f := newFloor(size)
		times := make([]time.Duration, max(awayBytes/size, 5))
		for i := range times {
			times[i] = f.copy()
		}
		row(fmt.Sprintf("Copy/bytes=%d", size), len(times), medianAndTail(times, "ns/op")...)
	}
}

// etherType of the frames that go there and back (IEEE Std 802, for experiments).
const etherType = 0x88b5

// frameSize is the least that Ethernet carries, and more than the argument of the
// smallest call.
const frameSize = 60

func ours(f []byte) bool {
	return len(f) == frameSize && int(f[12])<<8|int(f[13]) == etherType
}

// frame is a frame to whoever else is on the segment.
func frame(p *port.Port) []nic.Packet {
	src := p.MAC()
	head := make([]byte, frameSize)
	copy(head, nic.Broadcast[:])
	copy(head[6:], src[:])
	head[12], head[13] = etherType>>8, etherType&0xff
	return []nic.Packet{{Head: head}}
}

// frames measures a frame there and back. Both machines look for it all the time.
func frames(p *port.Port) error {
	var back atomic.Bool
	defer p.Claim(ours, func([]byte) { back.Store(true) })()
	there := frame(p)
	times := make([]time.Duration, 0, roundTrips)
	for i := range warmUp + roundTrips {
		back.Store(false)
		start := time.Now()
		if p.Send(there) != 1 {
			return fmt.Errorf("the link takes no frame")
		}
		for polls := 1; !back.Load(); polls++ {
			if p.Poll() == 0 && polls%8 == 0 {
				runtime.Gosched()
			}
			if polls%(1<<16) == 0 && time.Since(start) > time.Second {
				return fmt.Errorf("frame %d does not come back", i)
			}
		}
		if i >= warmUp {
			times = append(times, time.Since(start))
		}
	}
	row(fmt.Sprintf("LinkRoundTrip/bytes=%d", frameSize), len(times), quantiles(times)...)
	return nil
}

// mirror sends back what frames sends, until cancelled. When there is such a frame it
// keeps this machine looking for the next, so that nobody sleeps in a floor.
func mirror(p *port.Port) (cancel func()) {
	back := frame(p)
	came, over := make(chan struct{}, 1), make(chan struct{})
	var seen atomic.Uint64
	cancelClaim := p.Claim(ours, func([]byte) {
		p.Send(back)
		seen.Add(1)
		select {
		case came <- struct{}{}:
		default:
		}
	})
	go func() {
		for {
			select {
			case <-over:
				return
			case <-came:
			}
			for last, quiet := uint64(0), time.Now(); time.Since(quiet) < time.Millisecond; {
				for i := range 1000 {
					if p.Poll() == 0 && i%8 == 7 {
						runtime.Gosched()
					}
				}
				if n := seen.Load(); n != last {
					last, quiet = n, time.Now()
				}
			}
		}
	}()
	return func() { cancelClaim(); close(over) }
}
