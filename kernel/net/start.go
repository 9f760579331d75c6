package net

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"nuos/drivers/nic/port"
	"nuos/kernel"
	"nuos/mm"
)

const (
	// addressPatience is how long a connection to another machine waits for
	// the machine's first address.
	addressPatience = 15 * time.Second
	timeWait        = 10 * time.Second
)

// configured is closed when the machine has an address on its NIC, or will
// have none but the link-local one.
var (
	configured = make(chan struct{})
	once       sync.Once
)

func setConfigured() { once.Do(func() { close(configured) }) }

// startStack makes the stack and the pump and plugs the socket calls in. From
// here on programs have a loopback network.
func startStack() error {
	s, err := newStack()
	if err != nil {
		return err
	}
	internet = s
	if err := startPump(); err != nil {
		return err
	}
	setFiles()
	kernel.SetSockets(&calls)
	return nil
}

// attachPort joins the stack to the port and gives the machine its address: the
// one of the boot parameter ip=, or, in the background, DHCP's.
func attachPort(p *port.Port) error {
	l := newLink(p)
	c := p.Config()
	var client *dhcpClient
	if c.DHCP {
		client = newDHCPClient(p)
		l.dhcp = client.receive
	}
	if err := internet.CreateNIC(portNIC, l); err != nil {
		return fmt.Errorf("%s: %s", p.Info().Name, err)
	}
	publishInterface(portNIC, l.LinkAddress(), l.MTU())
	p.ClaimRest(l.receive)
	if err := addAddress(internet, portNIC, linkLocal(l.mac), stack.AddressProperties{}); err != nil {
		return err
	}
	if !c.DHCP {
		if err := setAddress(netip.Prefix{}, p.Addr(), c.Gateway, c.DNS); err != nil {
			return err
		}
		setConfigured()
		return nil
	}
	// The address that the port has chosen itself stays usable, but is not
	// chosen as a source where there is another.
	props := stack.AddressProperties{PEB: stack.NeverPrimaryEndpoint}
	if err := addAddress(internet, portNIC, p.Addr(), props); err != nil {
		return err
	}
	go client.run()
	return nil
}

// setAddress replaces the address old, if valid, by p.
func setAddress(old, p netip.Prefix, gateway netip.Addr, dns ...netip.Addr) error {
	if old != p {
		if err := addAddress(internet, portNIC, p, stack.AddressProperties{}); err != nil {
			return err
		}
		if old.IsValid() {
			removeAddress(old.Addr())
		}
	}
	internet.SetRouteTable(routes(p, gateway))
	resolv := ""
	for _, d := range dns {
		if d.IsValid() {
			resolv += "nameserver " + d.String() + "\n"
		}
	}
	kernel.SetFile("/etc/resolv.conf", []byte(resolv))
	return nil
}

// start is what an image does before its main: see start_metal.go.
func start() {
	if err := startStack(); err != nil {
		fmt.Fprintln(os.Stderr, "nuos: no network:", err)
		return
	}
	budget.Store(int64(mm.Frames().Total * mm.PageSize / 8 / chunkSize))
	go func() {
		p, err := port.Open()
		if err == nil {
			err = attachPort(p)
		}
		if err != nil {
			// Loopback works without. What needs a NIC says so itself.
			if !errors.Is(err, port.ErrNoNIC) {
				fmt.Fprintln(os.Stderr, "nuos: no network:", err)
			}
			setConfigured()
		}
	}()
}
