package ramfs

import "syscall"

// Watches (inotify(7)): who wants to know what happens to a file, or to what is in a
// folder. What happens is told as Linux's fsnotify does, in its order: opening and the
// like to those who watch the file's folder, with its name, and to those who watch the
// file; names that come and go to those who watch the folder; the end of a file to those
// who watch it.

// Events, and flags of watches, in Linux's bits (linux/inotify.h).
const (
	InAccess       = 0x1
	InModify       = 0x2
	InAttrib       = 0x4
	InCloseWrite   = 0x8
	InCloseNowrite = 0x10
	InOpen         = 0x20
	InMovedFrom    = 0x40
	InMovedTo      = 0x80
	InCreate       = 0x100
	InDelete       = 0x200
	InDeleteSelf   = 0x400
	InMoveSelf     = 0x800
	allEvents      = 0xfff

	inOverflow = 0x4000
	inIgnored  = 0x8000
	inIsFolder = 0x40000000

	InOnlyFolder = 0x1000000
	InDontFollow = 0x2000000
	inExclUnlink = 0x4000000
	InMaskCreate = 0x10000000
	InMaskAdd    = 0x20000000
	inOneshot    = 0x80000000

	// InAny has all bits of which a watch must have one.
	InAny = allEvents | 0x2000 | inOverflow | inIgnored | inIsFolder | InOnlyFolder | InDontFollow | inExclUnlink |
		InMaskCreate | InMaskAdd | inOneshot
)

// watch is one watch of a queue on a node.
type watch struct {
	queue       Queue
	node        Node
	wd          int32
	mask        uint32
	nextOfNode  uintptr
	nextOfQueue uintptr
}

const watchSize = 64

func watchAt(w uintptr) *watch { return (*watch)(pointer(w)) }

var (
	watches    int64  // all there are: without any nothing is told
	lastCookie uint32 // of a rename
)

// Watch makes q hear of events of n, or changes of which. It returns the number that
// the events will have. EEXIST, with InMaskCreate, and ENOMEM are the errors.
func (q Queue) Watch(n Node, mask uint32) (wd int32, e syscall.Errno) {
	const kept = allEvents | inExclUnlink | inOneshot
	for w := n.in().watches; w != 0; w = watchAt(w).nextOfNode {
		x := watchAt(w)
		if x.queue != q {
			continue
		}
		if mask&InMaskCreate != 0 {
			return 0, syscall.EEXIST
		}
		if mask&InMaskAdd == 0 {
			x.mask = 0
		}
		x.mask |= mask & kept
		return x.wd, 0
	}
	w, ok := allocObject(watchSize)
	if !ok {
		return 0, syscall.ENOMEM
	}
	in := q.in()
	in.lastWD++
	*watchAt(w) = watch{queue: q, node: n, wd: in.lastWD, mask: mask & kept, nextOfNode: n.in().watches, nextOfQueue: in.watches}
	n.in().watches, in.watches = w, w
	watches++
	return in.lastWD, 0
}

// Unwatch ends the watch of a number; EINVAL if there is none.
func (q Queue) Unwatch(wd int32) syscall.Errno {
	for w := q.in().watches; w != 0; w = watchAt(w).nextOfQueue {
		if watchAt(w).wd == wd {
			ignore(w)
			return 0
		}
	}
	return syscall.EINVAL
}

// ignore ends a watch and says so.
func ignore(w uintptr) {
	x := watchAt(w)
	q, wd := x.queue, x.wd
	at := &x.node.in().watches
	for *at != w {
		at = &watchAt(*at).nextOfNode
	}
	*at = x.nextOfNode
	at = &q.in().watches
	for *at != w {
		at = &watchAt(*at).nextOfQueue
	}
	*at = x.nextOfQueue
	freeObject(w)
	watches--
	q.add(wd, inIgnored, 0, nil)
}

// tell has those who watch n know of an event.
func (n Node) tell(mask, cookie uint32, name []byte) {
	for w := n.in().watches; w != 0; {
		x := watchAt(w)
		next := x.nextOfNode
		if x.mask&mask&allEvents != 0 {
			x.queue.add(x.wd, mask, cookie, name)
			if x.mask&inOneshot != 0 {
				ignore(w)
			}
		}
		w = next
	}
}

// folderBit is inIsFolder for folders.
func (n Node) folderBit() uint32 {
	if n.Kind() == syscall.S_IFDIR {
		return inIsFolder
	}
	return 0
}

// Event tells of one of InAccess to InOpen. Of a file with several names it is told by
// the newest, and of one that has lost its name to nobody's folder.
func (n Node) Event(mask uint32) {
	if watches == 0 {
		return
	}
	mask |= n.folderBit()
	if e := n.in().entry; e != 0 {
		entryAt(e).folder.tell(mask, 0, entryAt(e).name())
	}
	n.tell(mask, 0, nil)
}

// named tells those who watch folder n of an event of the name of c.
func (n Node) named(mask, cookie uint32, name []byte, c Node) {
	if watches != 0 {
		n.tell(mask|c.folderBit(), cookie, name)
	}
}

// gone tells those who watch n that it is no more.
func (n Node) gone() {
	if n.in().watches == 0 {
		return
	}
	n.tell(InDeleteSelf, 0, nil)
	for n.in().watches != 0 {
		ignore(n.in().watches)
	}
}

// renamed tells of a rename of c.
func renamed(c, from, to Node, oldName, newName []byte) {
	if watches == 0 {
		return
	}
	lastCookie++
	from.named(InMovedFrom, lastCookie, oldName, c)
	to.named(InMovedTo, lastCookie, newName, c)
}
