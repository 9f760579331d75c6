package tor

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// captures is the list of running captures; it is replaced, never changed.
type captures []*capture

type capture struct {
	ports map[*Port]bool // nil: all

	mu  sync.Mutex
	buf *bufio.Writer
	out *pcapgo.Writer
	err error // the first; nothing is written after it
}

// Capture writes frames to w as a pcap file until the returned function is
// called or the switch is closed. With ports it records both directions of
// their links, after the faults on the way out; without, every frame once, as
// its sender sent it. An error of w is returned when the capture ends.
func (sw *Switch) Capture(w io.Writer, ports ...*Port) (stop func() error, err error) {
	c := &capture{buf: bufio.NewWriterSize(w, 64<<10)}
	c.out = pcapgo.NewWriterNanos(c.buf)
	if err := c.out.WriteFileHeader(MaxFrame, layers.LinkTypeEthernet); err != nil {
		return nil, fmt.Errorf("tor: capture: %w", err)
	}
	if len(ports) > 0 {
		c.ports = make(map[*Port]bool)
		for _, p := range ports {
			c.ports[p] = true
		}
	}
	sw.mu.Lock()
	defer sw.mu.Unlock()
	list := captures{c}
	if old := sw.capture.Load(); old != nil {
		list = append(list, *old...)
	}
	sw.capture.Store(&list)
	return func() error { return sw.endCapture(c) }, nil
}

func (sw *Switch) endCapture(c *capture) error {
	sw.mu.Lock()
	var list captures
	if old := sw.capture.Load(); old != nil {
		for _, other := range *old {
			if other != c {
				list = append(list, other)
			}
		}
	}
	if len(list) == 0 {
		sw.capture.Store(nil)
	} else {
		sw.capture.Store(&list)
	}
	sw.mu.Unlock()
	return c.flush()
}

// record gives a frame to whoever captures it.
func (sw *Switch) record(p *Port, received bool, frame []byte) {
	list := sw.capture.Load()
	if list == nil {
		return
	}
	now := time.Now()
	for _, c := range *list {
		if c.ports == nil && received || c.ports[p] {
			c.write(now, frame)
		}
	}
}

func (c *capture) write(at time.Time, frame []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = c.out.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(frame), Length: len(frame)}, frame)
	}
}

func (c *capture) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = c.buf.Flush()
	}
	return c.err
}

// flushCaptures writes out what the captures hold back.
func (sw *Switch) flushCaptures() error {
	var errs []error
	if list := sw.capture.Load(); list != nil {
		for _, c := range *list {
			errs = append(errs, c.flush())
		}
	}
	return errors.Join(errs...)
}
