package tor

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// Programs that dial the switch. A connection gets a port of its own for as
// long as it lives, and is told who it is by the first frame-like message:
// welcome, in JSON. Then frames flow both ways as on every stream.

// welcome is what a program that dials learns.
type welcome struct {
	MAC     string
	MTU     int
	Addr    netip.Prefix
	Gateway netip.Addr
}

// ClientConfig says what addresses programs get that dial the switch.
type ClientConfig struct {
	MTU     int
	First   netip.Prefix // the first address, with the subnet
	Count   int          // how many there are
	Gateway netip.Addr
}

// addressPool hands out addresses, the longest unused first.
type addressPool struct {
	mu   sync.Mutex
	free []netip.Addr
}

func (p *addressPool) take() (netip.Addr, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		return netip.Addr{}, false
	}
	a := p.free[0]
	p.free = p.free[1:]
	return a, true
}

func (p *addressPool) put(a netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, a)
}

// ListenClients serves Dial at a unix socket.
func (sw *Switch) ListenClients(path string, c ClientConfig) error {
	pool := &addressPool{}
	for a := c.First.Addr(); len(pool.free) < c.Count; a = a.Next() {
		if !c.First.Contains(a) {
			return fmt.Errorf("tor: %v has no %d addresses for clients", c.First, c.Count)
		}
		pool.free = append(pool.free, a)
	}
	return sw.listen(path, func(conn *net.UnixConn) {
		addr, ok := pool.take()
		if !ok {
			return // too many at once: Dial reports the end of the stream
		}
		defer pool.put(addr)
		text, err := json.Marshal(welcome{
			MAC: clientMAC(addr).String(), MTU: c.MTU, Gateway: c.Gateway,
			Addr: netip.PrefixFrom(addr, c.First.Bits()),
		})
		if err != nil {
			return
		}
		p := sw.AddPort("client " + addr.String())
		defer sw.RemovePort(p)
		// Who has read the welcome is reached by every frame from then on.
		if done, err := p.connect(conn, text); err == nil {
			<-done
		}
	})
}

// clientMAC derives a locally administered address from the IPv4 address, so
// that a neighbour who remembers the one never has a wrong idea of the other.
func clientMAC(a netip.Addr) net.HardwareAddr {
	b := a.As4()
	return net.HardwareAddr{0x02, 'c', b[0], b[1], b[2], b[3]}
}
