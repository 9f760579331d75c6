package ramfs

import (
	"syscall"
	"unsafe"
)

// entry is a name in a folder. The name's bytes follow it in memory.
type entry struct {
	folder, node Node
	chain        uintptr // next in the hash bucket
	next, prev   uintptr // in the folder
	cookie       int64
	hash         uint32
	length       uint32
}

const (
	entrySize = unsafe.Sizeof(entry{})
	maxName   = 255
	buckets   = 4096
	// firstCookie is that of a folder's first name; 1 and 2 are "." and "..".
	firstCookie = 3
)

// names finds the entries of all folders by folder and name.
var names [buckets]uintptr

func entryAt(e uintptr) *entry { return (*entry)(pointer(e)) }

func (e *entry) name() []byte { return bytesAt(addressOf(e)+entrySize, uintptr(e.length)) }

// addressOf is the address of something outside of Go's heap.
func addressOf[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// hashOf is FNV-1a over the folder's address and the name.
func hashOf(folder Node, name []byte) uint32 {
	h := uint32(2166136261) ^ uint32(folder>>6)
	h *= 16777619
	for _, b := range name {
		h = (h ^ uint32(b)) * 16777619
	}
	return h
}

// find returns the entry of a name, 0 if there is none.
func (n Node) find(name []byte) uintptr {
	h := hashOf(n, name)
	for e := names[h%buckets]; e != 0; e = entryAt(e).chain {
		if x := entryAt(e); x.hash == h && x.folder == n && string(x.name()) == string(name) {
			return e
		}
	}
	return 0
}

// enter adds a name that is not there yet to a folder.
func (n Node) enter(name []byte, node Node) syscall.Errno {
	if len(name) > maxName {
		return syscall.ENAMETOOLONG
	}
	e, ok := allocObject(entrySize + uintptr(len(name)))
	if !ok {
		return syscall.ENOSPC
	}
	in := n.in()
	in.cookie = max(in.cookie+1, firstCookie)
	h := hashOf(n, name)
	*entryAt(e) = entry{
		folder: n, node: node, chain: names[h%buckets], prev: in.last, cookie: in.cookie,
		hash: h, length: uint32(len(name)),
	}
	copy(entryAt(e).name(), name)
	names[h%buckets] = e
	if in.last != 0 {
		entryAt(in.last).next = e
	} else {
		in.first = e
	}
	in.last = e
	node.in().entry = e
	in.touch()
	return 0
}

// forget removes an entry; the node stays.
func forget(e uintptr) {
	x := entryAt(e)
	in := x.folder.in()
	at := &names[x.hash%buckets]
	for *at != e {
		at = &entryAt(*at).chain
	}
	*at = x.chain
	if x.prev != 0 {
		entryAt(x.prev).next = x.next
	} else {
		in.first = x.next
	}
	if x.next != 0 {
		entryAt(x.next).prev = x.prev
	} else {
		in.last = x.prev
	}
	in.touch()
	if x.node.in().entry == e {
		x.node.in().entry = 0
	}
	freeObject(e)
}

// touch notes that a folder has changed.
func (in *inode) touch() {
	in.version++
	in.modified = memory.Now()
	in.change = in.modified
}

// Entry is a name that Next found.
type Entry struct {
	Node   Node
	Name   []byte // valid until the folder changes
	Cookie int64  // where the search for the next one begins
}

var dot, dotDot = [1]byte{'.'}, [2]byte{'.', '.'}

// Next returns the first entry of a folder behind a cookie, 0 for the first of
// all. "." and ".." are among them.
func (n Node) Next(cookie int64) (Entry, bool) {
	in := n.in()
	switch {
	case in.links == 0:
		return Entry{}, false
	case cookie < 1:
		n.refresh()
		return Entry{n, dot[:], 1}, true
	case cookie < 2:
		return Entry{in.parent, dotDot[:], 2}, true
	}
	// Most often the search goes on where it was.
	e := in.first
	if in.last != 0 && cookie >= entryAt(in.last).cookie {
		return Entry{}, false
	}
	if h := resume; h != 0 && resumeFolder == n && resumeCookie == cookie && resumeVersion == in.version {
		e = h
	}
	for e != 0 && entryAt(e).cookie <= cookie {
		e = entryAt(e).next
	}
	if e == 0 {
		return Entry{}, false
	}
	x := entryAt(e)
	resume, resumeFolder, resumeCookie, resumeVersion = x.next, n, x.cookie, in.version
	return Entry{x.node, x.name(), x.cookie}, true
}

// Where the last call of Next ended, so that reading a long folder is not
// quadratic. It counts only as long as the folder has not changed.
var (
	resume        uintptr
	resumeFolder  Node
	resumeCookie  int64
	resumeVersion uint64
)

// entryOf returns an entry that leads to n, which is not the root; 0 if there is
// none. A file that has lost the newest of several names looks through all there are.
func (n Node) entryOf() uintptr {
	in := n.in()
	if in.links == 0 || in.entry != 0 {
		return in.entry
	}
	for _, e := range &names {
		for ; e != 0; e = entryAt(e).chain {
			if entryAt(e).node == n {
				return e
			}
		}
	}
	return 0
}

// NameOf writes a path of n into the end of buf and returns where it begins:
// ENOENT if it was removed, ERANGE if it does not fit.
func (n Node) NameOf(buf []byte) (int, syscall.Errno) {
	at := len(buf)
	for n != root {
		e := n.entryOf()
		if e == 0 {
			return 0, syscall.ENOENT
		}
		name := entryAt(e).name()
		if at < len(name)+1 {
			return 0, syscall.ERANGE
		}
		at -= copy(buf[at-len(name):], name)
		at--
		buf[at] = '/'
		n = entryAt(e).folder
	}
	if at == len(buf) {
		if at == 0 {
			return 0, syscall.ERANGE
		}
		at--
		buf[at] = '/'
	}
	return at, 0
}

// Largest fills into with the files that take most memory, the largest first, and
// returns how many there are: each has a name, and at least a page. It looks through all
// names.
func Largest(into []Node) (count int) {
	for _, e := range &names {
		for ; e != 0; e = entryAt(e).chain {
			count = insertLargest(into, count, entryAt(e).node)
		}
	}
	return count
}

// insertLargest puts n where it belongs among count files that are in order, unless it
// is there already, by another name.
func insertLargest(into []Node, count int, n Node) int {
	if n.in().pages == 0 {
		return count
	}
	at := count
	for i, other := range into[:count] {
		if other == n {
			return count
		}
		if at == count && other.in().pages < n.in().pages {
			at = i
		}
	}
	if at == len(into) {
		return count
	}
	count = min(count+1, len(into))
	copy(into[at+1:count], into[at:])
	into[at] = n
	return count
}
