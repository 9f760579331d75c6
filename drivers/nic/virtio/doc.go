// Package virtio drives virtio-net devices, version 1.x, by polling.
// Section numbers in its comments are those of "Virtual I/O Device (VIRTIO)
// Version 1.2", OASIS.
//
// A Device is two virtqueues (ring.go), split or packed as the device offers, and a transport, which is how one finds
// the device, reads its configuration and rings its bell: PCI on metal
// (OpenPCI), a vhost-user socket when hosted (OpenVhostUser). Everything
// above the transport is the same on both.
//
// Invariants: all memory that the device writes, and all that it reads but for
// the Gather ranges of a packet, is allocated and laid out when the device is
// opened; nothing allocates later. A buffer belongs either to the device or to
// us, and only what the device was given can come back from it.
//
// The device is not trusted with our memory safety: whatever it writes into
// the rings is checked before it is used, counted in Stats and dropped when
// wrong. Nor can it make one call do more work than its ring is long. It can
// still corrupt frames and write anywhere its bus lets it.
//
// Caveats: one pair of queues. With packed queues idle processors have nothing to look at before
// they halt, and a frame for them takes an interrupt. No checksum or segmentation offload, no
// control queue; the device keeps its default receive mode. Device addresses
// are physical (VIRTIO_F_ACCESS_PLATFORM is not accepted), so a device behind
// an enabled IOMMU is refused.
package virtio
