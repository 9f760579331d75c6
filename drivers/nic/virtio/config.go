package virtio

import (
	"encoding/binary"

	"nuos/drivers/nic"
)

// config is what we use of struct virtio_net_config (5.1.4).
type config struct {
	mac nic.MAC
	mtu int
}

// configSize is how many bytes of it readConfig reads: mac, status,
// max_virtqueue_pairs, mtu.
const configSize = 12

// readConfig reads the structure's first configSize bytes. The status of the link is not used: frames sent while it is down are
// lost like others.
func readConfig(b []byte) config {
	return config{nic.MAC(b[0:6]), int(binary.LittleEndian.Uint16(b[10:]))}
}
