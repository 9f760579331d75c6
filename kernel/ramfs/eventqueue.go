package ramfs

import (
	"syscall"
	"unsafe"
)

// Queue is where the events of some watches wait to be read: an inotify instance.
type Queue uintptr

type queue struct {
	object      uint64  // the caller's
	first, last uintptr // events
	count       int32
	bytes       uint32 // that reading all of them takes
	watches     uintptr
	lastWD      int32
}

// event is one that waits. The name's bytes follow it in memory.
type event struct {
	next         uintptr
	wd           int32
	mask, cookie uint32
	length       uint32 // of the name
}

const (
	queueSize = unsafe.Sizeof(queue{})
	eventSize = unsafe.Sizeof(event{})
	eventHead = 16 // of struct inotify_event: wd, mask, cookie, length of the name
)

// MaxQueuedEvents is how many events a queue holds: Linux's default of
// fs.inotify.max_queued_events.
const MaxQueuedEvents = 16384

func (q Queue) in() *queue { return (*queue)(pointer(uintptr(q))) }

func eventAt(e uintptr) *event { return (*event)(pointer(e)) }

func (e *event) name() []byte { return bytesAt(addressOf(e)+eventSize, uintptr(e.length)) }

// size is how many bytes the event takes when it is read: names end with a zero byte and
// are padded with others to a multiple of the head.
func (e *event) size() uint32 {
	if e.length == 0 {
		return eventHead
	}
	return eventHead + (e.length+1+eventHead-1)&^(eventHead-1)
}

// NewQueue makes a queue without watches.
func NewQueue(object uint64) (Queue, syscall.Errno) {
	q, ok := allocObject(queueSize)
	if !ok {
		return 0, syscall.ENOMEM
	}
	Queue(q).in().object = object
	return Queue(q), 0
}

// Close ends a queue and its watches.
func (q Queue) Close() {
	in := q.in()
	for in.watches != 0 {
		ignore(in.watches)
	}
	for in.first != 0 {
		q.pop()
	}
	freeObject(uintptr(q))
}

// Bytes is how many bytes of events there are to read.
func (q Queue) Bytes() uint32 { return q.in().bytes }

// add puts an event at the end of the queue, unless it is the same as the last one. One
// that finds no room is lost, which an event says once.
func (q Queue) add(wd int32, mask, cookie uint32, name []byte) {
	if mask&(InDeleteSelf|InMoveSelf) != 0 {
		mask &^= inIsFolder
	}
	in := q.in()
	if in.last != 0 {
		l := eventAt(in.last)
		same := l.wd == wd && l.mask == mask && string(l.name()) == string(name)
		if same && (mask&inIgnored == 0) {
			return
		}
	}
	if in.count >= MaxQueuedEvents {
		if eventAt(in.last).mask == inOverflow {
			return
		}
		wd, mask, cookie, name = -1, inOverflow, 0, nil
	}
	e, ok := allocObject(eventSize + uintptr(len(name)))
	if !ok {
		return
	}
	x := eventAt(e)
	*x = event{wd: wd, mask: mask, cookie: cookie, length: uint32(len(name))}
	copy(x.name(), name)
	if in.last != 0 {
		eventAt(in.last).next = e
	} else {
		in.first = e
	}
	in.last = e
	in.count++
	in.bytes += x.size()
	memory.Queued(in.object)
}

// pop takes the first event off the queue.
func (q Queue) pop() {
	in := q.in()
	e := in.first
	in.count--
	in.bytes -= eventAt(e).size()
	if in.first = eventAt(e).next; in.first == 0 {
		in.last = 0
	}
	freeObject(e)
}

// eventBuffer is where an event is put together, one at a time.
var eventBuffer [eventHead + 256]byte

// Read moves events to the program's memory, as many as fit whole. EAGAIN means that
// there are none, and EINVAL that there is no room for the first.
func (q Queue) Read(buf, count uintptr) (uintptr, syscall.Errno) {
	in := q.in()
	if in.first == 0 {
		return 0, syscall.EAGAIN
	}
	done := uintptr(0)
	for in.first != 0 {
		x := eventAt(in.first)
		size := uintptr(x.size())
		if size > count-done {
			if done == 0 {
				return 0, syscall.EINVAL
			}
			break
		}
		clear(eventBuffer[:size])
		for k, v := range [4]uint32{uint32(x.wd), x.mask, x.cookie, uint32(size) - eventHead} {
			*(*uint32)(unsafe.Pointer(&eventBuffer[4*k])) = v
		}
		copy(eventBuffer[eventHead:], x.name())
		q.pop()
		if !memory.Copy(buf+done, addressOf(&eventBuffer), size) {
			return 0, syscall.EFAULT
		}
		done += size
	}
	return done, 0
}
