//go:build !metal

package port

import (
	"fmt"
	"strconv"
	"strings"

	"nuos/drivers/nic"
	"nuos/drivers/nic/virtio"
)

// openDevice connects to the switch that nic= names.
func openDevice(param string) (nic.Device, error) {
	v, err := parseVhostUser(param)
	if err != nil {
		return nil, err
	}
	return virtio.OpenVhostUser(v)
}

// parseVhostUser reads vhost-user:PATH[,mac=MAC][,mtu=N].
func parseVhostUser(param string) (v virtio.VhostUser, err error) {
	if param == "" {
		return v, fmt.Errorf("%w: a hosted machine is given one with nic=vhost-user:PATH", ErrNoNIC)
	}
	bad := func(why string) (virtio.VhostUser, error) {
		return virtio.VhostUser{}, fmt.Errorf("%w nic=%s: %s; want vhost-user:PATH[,mac=MAC][,mtu=N]", ErrParameter, param, why)
	}
	rest, ok := strings.CutPrefix(param, "vhost-user:")
	if !ok {
		return bad("a hosted NIC is a vhost-user socket")
	}
	words := strings.Split(rest, ",")
	v.Path = words[0]
	if v.Path == "" {
		return bad("no path")
	}
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "mac":
			if v.MAC, err = nic.ParseMAC(value); err != nil {
				return bad(err.Error())
			}
			if v.MAC[0]&1 != 0 {
				return bad("a machine's address cannot be a multicast address")
			}
		case "mtu":
			if v.MTU, err = strconv.Atoi(value); err != nil || v.MTU < 576 || v.MTU > 9000 {
				return bad("the MTU is a number from 576 to 9000")
			}
		default:
			return bad(fmt.Sprintf("unknown word %q", w))
		}
	}
	return v, nil
}
