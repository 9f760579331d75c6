//go:build !metal

package port

import (
	"fmt"
	"strings"

	"nuos/drivers/nic"
	"nuos/drivers/nic/virtio"
)

// openDevice connects to the switch that nic= names.
func openDevice(param string) (nic.Device, error) {
	if param == "" {
		return nil, fmt.Errorf("%w: a hosted machine is given one with nic=vhost-user:PATH", ErrNoNIC)
	}
	path, ok := strings.CutPrefix(param, "vhost-user:")
	if !ok || path == "" {
		return nil, fmt.Errorf("%w nic=%s: want vhost-user:PATH", ErrParameter, param)
	}
	return virtio.OpenVhostUser(path)
}
