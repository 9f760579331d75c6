//go:build !metal

package port

import (
	"fmt"
	"strings"

	"nuos/drivers/nic"
	"nuos/drivers/nic/link"
	"nuos/drivers/nic/virtio"
)

// openDevice connects to the switch, or is plugged into the cable, that nic= names.
func openDevice(param string) (nic.Device, error) {
	if param == "" {
		return nil, fmt.Errorf("%w: a hosted machine is given one with nic=vhost-user:PATH or nic=link:PATH", ErrNoNIC)
	}
	switch kind, path, _ := strings.Cut(param, ":"); {
	case kind == "vhost-user" && path != "":
		return virtio.OpenVhostUser(path)
	case kind == "link" && path != "":
		return link.Open(path)
	}
	return nil, fmt.Errorf("%w nic=%s: want vhost-user:PATH or link:PATH", ErrParameter, param)
}
