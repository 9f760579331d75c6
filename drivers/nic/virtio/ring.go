package virtio

// ring is the driver's side of a virtqueue of either layout: split (2.7), packed (2.8). The
// methods of one must not run concurrently.
type ring interface {
	// place is where the device finds it.
	place() place
	// usedIndex is a word that changes whenever the device has used something; nil: there is
	// none.
	usedIndex() *uint16

	// offer hands the device a buffer, whose number it gives back; publish shows it. The buffer
	// owns as many descriptor numbers, from its own on, as the chain has descriptors. Their flags
	// and order in the ring are the queue's business, but for descWrite and descIndirect.
	offer(id uint16, chain []descriptor)
	// link makes descriptors the table of an indirect one.
	link(table []descriptor)
	// publish shows the device what was offered and reports whether it wants to be kicked for it.
	publish() (kick bool)
	// overdue reports that the device should have moved on from where it waits, so that it had
	// better be kicked again.
	overdue(slack uint16) bool

	// pending returns at least how many used buffers wait to be taken, 0 only if none does. More
	// than the queue's size is nonsense from the device; resync forgets it.
	pending() uint16
	resync()
	// peek returns the number of the buffer that was used i places ahead, unchecked, and how many
	// bytes the device says it wrote. take passes n of them.
	peek(i uint16) (id, length uint32)
	take(n uint16)

	// arm asks for a signal when the next buffer is used; it reports false, having asked for
	// nothing, if one is there already. disarm takes that back.
	arm() bool
	disarm()
	armed() bool
}

// place is where a queue's parts lie in its memory: descriptors, what the driver writes, what
// the device writes (2.6).
type place struct {
	mem                  region
	size                 uint16
	desc, driver, device uint64
}

// newRing makes a queue in memory of ringBytes.
func (d *Device) newRing(size uint16, mem region) ring {
	if d.has(featPacked) {
		return newPacked(size, mem, d.has(featEventIdx))
	}
	return newSplit(size, mem, d.has(featEventIdx))
}

func (d *Device) ringBytes(size uint16) uint64 {
	if d.has(featPacked) {
		return packedBytes(size)
	}
	return splitBytes(size)
}

// descriptor is one piece of memory (2.7.5). In a packed queue number and flags are elsewhere.
type descriptor struct {
	addr  uint64
	len   uint32
	flags uint16
	next  uint16
}

const (
	descNext     = 1 // another one follows
	descWrite    = 2 // the device writes it
	descIndirect = 4 // it is a table of descriptors
)

const (
	maxQueue       = 1024
	descriptorSize = 16
)
