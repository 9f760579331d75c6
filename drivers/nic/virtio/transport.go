package virtio

// transport is how a device is reached: everything that is not in the rings.
// It is used by one goroutine, except for kick.
type transport interface {
	name() string

	// offered resets the device and returns its feature bits.
	offered() (uint64, error)
	// accept tells the device which of them are used.
	accept(features uint64) error
	// config reads the device's configuration; fields whose feature was not
	// accepted may be zero.
	config() (config, error)
	// limit returns the most entries of queue i, 0 if there is no such queue.
	limit(i int) int
	// attach hands queue i, still empty, to the device.
	attach(i int, q ring) error
	// start lets the device run (DRIVER_OK, 3.1.1 step 8). From now on queue
	// 0 makes event, an eventfd, readable when its ring asks for it.
	start(event int) error
	// kick tells the device that queue i has new entries (2.9). It is called
	// on the data path: it neither allocates nor waits.
	kick(i int)
	// close stops the device. No DMA happens after it returns.
	close() error
}

// The queues of a device without VIRTIO_NET_F_MQ (5.1.2). With it, pair n has
// numbers 2n and 2n+1.
const (
	receiveQueue = 0
	sendQueue    = 1
)
