package rack

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"nuos/boot"
	"nuos/drivers/nic/port"
)

var (
	rackParam      = boot.NewParam("rack", "nuos", "name of the rack that the machine joins")
	keyParam       = boot.NewParam("key", "", "key of the rack; machines with another key are strangers")
	machinesParam  = boot.NewParam("machines", "1", "machines that must be there before the program goes on")
	directoryParam = boot.NewParam("directory", "", "IP or MAC of the machine that forms the rack; empty: elected")
	peersParam     = boot.NewParam("peers", "", "IPs or MACs to look for the rack at, comma separated; empty: broadcast")
	deadParam      = boot.NewParam("dead", "3s", "how long a machine is silent before it is declared dead")
)

// Config says which rack to join, and how. The zero value of a field takes
// the boot parameter named with it.
type Config struct {
	Name      string        // rack=
	Key       string        // key=
	Machines  int           // machines=: Join returns when so many are there
	Directory string        // directory=: IP or MAC of the machine that forms the rack
	Peers     string        // peers=: IPs or MACs, comma separated; empty: broadcast
	Dead      time.Duration // dead=: silence after which a machine is declared dead

	Port     *port.Port // nil: port.Open()
	Observer bool       // see the package comment
	Build    string     // build identity; empty: boot.BuildID()
	Console  io.Writer  // nil: os.Stderr

	// OnFenced is called once when the others have declared this incarnation
	// dead. nil: say so on the console and exit with code ExitFenced.
	OnFenced func()
}

// ExitFenced is the exit code of a machine that the others have declared dead.
const ExitFenced = 75

// ticksToDeath is how often silence is looked at before it is death.
const ticksToDeath = 12

// fromParams fills in what c leaves out.
func (c *Config) fromParams() error {
	pick := func(field *string, p *boot.Param) {
		if *field == "" {
			*field = p.Value()
		}
	}
	pick(&c.Name, rackParam)
	pick(&c.Key, keyParam)
	pick(&c.Directory, directoryParam)
	pick(&c.Peers, peersParam)
	if c.Machines == 0 {
		n, err := strconv.Atoi(machinesParam.Value())
		if err != nil || n < 1 || n > 10000 {
			return fmt.Errorf("%w machines=%s: want a number from 1", ErrParameter, machinesParam.Value())
		}
		c.Machines = n
	}
	if c.Dead == 0 {
		d, err := time.ParseDuration(deadParam.Value())
		if err != nil || d < 100*time.Millisecond {
			return fmt.Errorf("%w dead=%s: want a duration of at least 100ms, such as 3s", ErrParameter, deadParam.Value())
		}
		c.Dead = d
	}
	return nil
}

// place is an IP or MAC address, as directory= and peers= name machines.
type place struct {
	mac macAddr
	ip  netip.Addr
}

func parsePlace(s string) (place, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Is4() {
		return place{ip: a}, nil
	}
	if m, err := net.ParseMAC(s); err == nil && len(m) == 6 {
		return place{mac: macAddr(m)}, nil
	}
	return place{}, fmt.Errorf("%w: %q is neither an IPv4 nor an Ethernet address", ErrParameter, s)
}

// is reports whether p names the machine with these addresses.
func (p place) is(mac macAddr, ip netip.Addr) bool {
	if p.ip.IsValid() {
		return p.ip == ip
	}
	return p.mac == mac
}

// places are the machines that a Config names.
type machineConfig struct {
	former *place  // that forms the rack; nil: elected
	peers  []place // to look at; none: broadcast
}

func (c *Config) places() (m machineConfig, err error) {
	if c.Directory != "" {
		p, err := parsePlace(c.Directory)
		if err != nil {
			return m, err
		}
		m.former = &p
	}
	for _, word := range strings.Split(c.Peers, ",") {
		if word == "" {
			continue
		}
		p, err := parsePlace(word)
		if err != nil {
			return m, err
		}
		m.peers = append(m.peers, p)
	}
	return m, nil
}
