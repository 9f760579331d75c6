//go:build !metal

package port

import (
	"fmt"
	"strings"

	"nuos/boot"
	"nuos/drivers/nic"
	"nuos/drivers/nic/link"
	"nuos/drivers/nic/packet"
	"nuos/drivers/nic/virtio"
)

var idleParam = boot.NewParam("idle", "adaptive", "hosted: how long a machine without work polls its NIC before it sleeps: adaptive, poll (for ever) or halt (not at all)")

var uplinkParam = boot.NewParam("uplink", "", "hosted, with nic=link: unix socket of a switch by which others than the machine at the other end of the cable reach this one; empty: nobody does")

// mostPolls is how often the pump polls in vain at most. With one or two processors those who
// would send the next frame need the one that spins.
func mostPolls(processors int) int {
	if processors <= 2 {
		return 32
	}
	return 128
}

// idling is what the boot parameter idle= says. On metal it is the kernel's, and of
// processors.
func idling() (idleMode, error) {
	switch v := idleParam.Value(); v {
	case "adaptive":
		return idleAdaptive, nil
	case "poll":
		return idlePoll, nil
	case "halt":
		return idleHalt, nil
	default:
		return 0, fmt.Errorf("%w idle=%s: want adaptive, poll or halt", ErrParameter, v)
	}
}

// openDevice connects to the switch, is plugged into the cable, or takes the interface, that nic= names.
func openDevice(param string) (nic.Device, error) {
	if param == "" {
		return nil, fmt.Errorf("%w: a hosted machine is given one with nic=vhost-user:PATH, nic=link:PATH or nic=packet:INTERFACE", ErrNoNIC)
	}
	switch kind, path, _ := strings.Cut(param, ":"); {
	case kind == "vhost-user" && path != "":
		return virtio.OpenVhostUser(path)
	case kind == "link" && path != "":
		return link.Open(path, uplinkParam.Value())
	case kind == "packet" && path != "":
		return packet.Open(path)
	}
	return nil, fmt.Errorf("%w nic=%s: want vhost-user:PATH, link:PATH or packet:INTERFACE", ErrParameter, param)
}
