package virtio

import (
	"crypto/rand"

	"nuos/drivers/nic"
)

// randomMAC is the address of a device that has none of its own (5.1.5): of
// those that anybody may take, unicast.
func randomMAC() (m nic.MAC) {
	rand.Read(m[:])
	m[0] = m[0]&^1 | 2
	return m
}
