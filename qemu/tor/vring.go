package tor

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is the device's side of one split virtqueue (virtio 1.2, 2.7) in the
// front-end's memory. Nothing read from it is trusted: each word is read once,
// into a variable, and checked there.
//
// Memory ordering. flags and idx of a ring are 16-bit neighbours that are read
// and written together as one aligned 32-bit atomic. Go's atomics are
// sequentially consistent, so entries are read after the index that announced
// them, an index is stored after the entries it announces, and the wish of the
// other side is read after our index was stored (the one order that amd64
// does not keep by itself).
type ring struct {
	mu sync.Mutex // above everything but the files

	// As the front-end set it up.
	size                    uint32
	descAt, availAt, usedAt uint64 // its own addresses
	enabled                 bool

	// Where that is here; valid while running.
	running    bool
	eventIdx   bool
	mem        *memory
	desc       []descriptor
	availHead  *uint32 // flags, idx
	avail      []uint16
	usedEvent  *uint16 // after which used entry the driver wants a call
	usedHead   *uint32 // flags, idx
	used       []usedElem
	availEvent *uint16 // after which available entry we want a kick

	next uint16 // the next available entry to take
	done uint16 // used entries written
	told uint16 // of those, how many the driver has seen

	files sync.Mutex
	kick  *os.File // eventfd, not blocking; nil: none
	call  int      // eventfd; -1: none
}

// descriptor is a piece of memory (2.7.5).
type descriptor struct {
	addr  uint64
	len   uint32
	flags uint16
	next  uint16
}

const (
	descNext     = 1
	descWrite    = 2
	descIndirect = 4
)

// usedElem is a chain given back (2.7.8).
type usedElem struct{ id, len uint32 }

const (
	noInterrupt = 1 // available flags (2.7.6)
	noNotify    = 1 // used flags (2.7.8)
)

// maxRing is the longest ring we serve, the longest there is (2.7).
const maxRing = 32768

// resolve finds the ring in the front-end's memory. mu is held.
func (r *ring) resolve(mem *memory, eventIdx bool) error {
	n := uint64(r.size)
	desc := mem.atUser(r.descAt, 16*n, 16)
	avail := mem.atUser(r.availAt, 4+2*n+2, 4)
	used := mem.atUser(r.usedAt, 4+8*n+2, 4)
	if n == 0 || desc == nil || avail == nil || used == nil {
		return fmt.Errorf("%w: a ring of %d entries is not in shared memory", ErrProtocol, n)
	}
	// Sound: atUser has checked that the bytes are mapped and aligned, and
	// they stay mapped while mu is held or running is set.
	r.desc = unsafe.Slice((*descriptor)(desc), n)
	r.availHead = (*uint32)(avail)
	r.avail = unsafe.Slice((*uint16)(unsafe.Add(avail, 4)), n)
	r.usedEvent = (*uint16)(unsafe.Add(avail, 4+2*n))
	r.usedHead = (*uint32)(used)
	r.used = unsafe.Slice((*usedElem)(unsafe.Add(used, 4)), n)
	r.availEvent = (*uint16)(unsafe.Add(used, 4+8*n))
	r.mem, r.eventIdx = mem, eventIdx
	return nil
}

// pending returns how many chains wait, starting at the given one.
func (r *ring) pending(from uint16) (uint16, error) {
	n := uint16(atomic.LoadUint32(r.availHead)>>16) - from
	if uint32(n) > r.size {
		return 0, fmt.Errorf("%w: %d chains available in a ring of %d", ErrProtocol, n, r.size)
	}
	return n, nil
}

// chain appends the pieces of the i-th available chain to pieces. All of them
// must be for the device to write, or all for it to read.
func (r *ring) chain(i uint16, writable bool, pieces [][]byte) (head uint16, _ [][]byte, err error) {
	head = r.avail[uint32(i)&(r.size-1)]
	index := head
	for steps := uint32(0); ; steps++ {
		if uint32(index) >= r.size || steps == r.size {
			return 0, nil, fmt.Errorf("%w: a chain leaves the ring or is a loop", ErrProtocol)
		}
		d := r.desc[index]
		if d.flags&descIndirect != 0 || (d.flags&descWrite != 0) != writable {
			return 0, nil, fmt.Errorf("%w: descriptor flags %#x", ErrProtocol, d.flags)
		}
		if d.len > 0 {
			b := r.mem.atDevice(d.addr, d.len)
			if b == nil {
				return 0, nil, fmt.Errorf("%w: descriptor of %d bytes at %#x", ErrProtocol, d.len, d.addr)
			}
			pieces = append(pieces, b)
		}
		if d.flags&descNext == 0 {
			return head, pieces, nil
		}
		index = d.next
	}
}

// give puts a chain of which we wrote n bytes into the used ring; publish
// shows it to the driver.
func (r *ring) give(head uint16, n uint32) {
	r.used[uint32(r.done)&(r.size-1)] = usedElem{uint32(head), n}
	r.done++
}

// publish shows the driver what was given and calls it if it wants that.
func (r *ring) publish() {
	old := r.told
	if r.done == old {
		return
	}
	r.told = r.done
	r.storeUsed(atomic.LoadUint32(r.usedHead) & noNotify)
	if r.eventIdx {
		if event := *r.usedEvent; r.done-event-1 >= r.done-old {
			return
		}
	} else if atomic.LoadUint32(r.availHead)&noInterrupt != 0 {
		return
	}
	r.files.Lock()
	defer r.files.Unlock()
	if r.call >= 0 {
		signal(r.call)
	}
}

func (r *ring) storeUsed(flags uint32) {
	atomic.StoreUint32(r.usedHead, uint32(r.told)<<16|flags)
}

// arm asks for a kick when there are more chains than have been looked at. It
// reports false if there already are.
func (r *ring) arm(looked uint16) (bool, error) {
	if r.eventIdx {
		*r.availEvent = looked
	}
	r.storeUsed(0) // with EVENT_IDX only for its fence
	n, err := r.pending(looked)
	return n == 0, err
}

// disarm asks for no kicks while we look anyhow.
func (r *ring) disarm() {
	if !r.eventIdx {
		r.storeUsed(noNotify)
	}
}

// signal makes an eventfd readable. One that is full is readable already.
func signal(fd int) {
	one := [8]byte{1}
	unix.Write(fd, one[:])
}

// guarded runs f, which touches memory that its owner may take away by cutting
// the file shorter; that fault becomes an error.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if e := recover(); e != nil {
			if _, fault := e.(interface{ Addr() uintptr }); !fault {
				panic(e)
			}
			err = fmt.Errorf("%w: its memory vanished: %v", ErrProtocol, e)
		}
	}()
	return f()
}

// configure changes a ring that is not running.
func (r *ring) configure(change func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running {
		return fmt.Errorf("%w: a running ring is changed", ErrProtocol)
	}
	change()
	return nil
}

// resume takes up where the used ring stands, which is not its beginning when
// the front-end was connected before. mu is held.
func (r *ring) resume() {
	r.done = uint16(atomic.LoadUint32(r.usedHead) >> 16)
	r.told = r.done
}

// stop ends the use of the ring and of its kicks. Whether it is enabled is another matter, and stays
// as it is.
func (r *ring) stop() {
	r.files.Lock()
	kick := r.kick
	r.kick = nil
	r.files.Unlock()
	if kick != nil {
		kick.Close() // wakes whoever waits for it
	}
	r.mu.Lock()
	r.running = false
	r.mu.Unlock()
}

// enable lets the ring be used, or not, while it keeps its place.
func (r *ring) enable(on bool) {
	r.mu.Lock()
	r.enabled = on
	r.mu.Unlock()
	r.files.Lock()
	defer r.files.Unlock()
	if on && r.kick != nil {
		r.kick.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) // look at what came before
	}
}

// setCall replaces the descriptor by which the driver is called.
func (r *ring) setCall(fd int) {
	r.files.Lock()
	defer r.files.Unlock()
	if r.call >= 0 {
		unix.Close(r.call)
	}
	r.call = fd
}

func (r *ring) kickFile() *os.File {
	r.files.Lock()
	defer r.files.Unlock()
	return r.kick
}
