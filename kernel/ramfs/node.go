package ramfs

import "syscall"

// Node is a file of any kind, by address; 0 is none. It stays valid while
// somebody holds it or it has a name.
type Node uintptr

// inode is what a Node stands for.
type inode struct {
	number   uint64
	mode     uint32 // kind and permissions, as in struct stat
	links    uint32
	holds    int32
	uid, gid uint32
	device   uint32 // of a device or something live: the caller's
	object   uint64 // the caller's

	size                       int64
	accessed, modified, change int64 // ns since 1970

	// Regular files: pages, or the content as it lies in the boot archive.
	root   uintptr
	height int32 // of the tree below root; 0: root is the only page
	pages  int64
	fixed  uintptr

	// Folders.
	parent      Node
	first, last uintptr // entries
	cookie      int64   // of the newest entry
	version     uint64  // counts changes

	// Symbolic links: the target, in a page.
	target uintptr

	entry   uintptr // the newest that leads here, 0 for the root and what has no name
	watches uintptr // see watch.go
}

var (
	root       Node
	lastNumber uint64
)

func (n Node) in() *inode { return (*inode)(pointer(uintptr(n))) }

// Start makes the root folder. It is called once, before anything else and before
// the Go runtime starts: it stores functions where a collector would look.
//
//go:noinline
func Start(m Memory) bool {
	setMemory(m)
	n, ok := newNode(syscall.S_IFDIR | 0o755)
	if !ok {
		return false
	}
	n.in().links, n.in().parent = 2, n
	root = n
	return true
}

// Root is the root folder.
func Root() Node { return root }

const nodeSize = 256 // what inode takes, rounded up to an object's size

func newNode(mode uint32) (Node, bool) {
	p, ok := allocObject(nodeSize)
	if !ok {
		return 0, false
	}
	lastNumber++
	usage.Nodes++
	now := memory.Now()
	*(*inode)(pointer(p)) = inode{number: lastNumber, mode: mode, accessed: now, modified: now, change: now}
	return Node(p), true
}

// New makes a file that no path leads to, held by the caller. ENOMEM is the one
// error.
func New(mode uint32) (Node, syscall.Errno) {
	n, ok := newNode(mode)
	if !ok {
		return 0, syscall.ENOMEM
	}
	n.Hold()
	return n, 0
}

// Hold keeps n alive until Release.
func (n Node) Hold() { n.in().holds++ }

// Release undoes Hold.
func (n Node) Release() {
	n.in().holds--
	n.reap()
}

// reap frees a node that nothing leads to.
func (n Node) reap() {
	in := n.in()
	if in.links != 0 || in.holds != 0 {
		return
	}
	n.gone()
	in.drop(0)
	if resumeFolder == n {
		resumeFolder = 0
	}
	if in.target != 0 {
		freePage(in.target)
	}
	usage.Nodes--
	freeObject(uintptr(n))
}

// Kind is the part of the mode that says what n is: syscall.S_IFREG and so on.
func (n Node) Kind() uint32 { return n.in().mode & syscall.S_IFMT }

// Size is the length in bytes of a regular file's content.
func (n Node) Size() int64 { return n.in().size }

// Device is what MakeDevice or Add was told.
func (n Node) Device() uint32 { return n.in().device }

// Object is a word that the caller keeps with a pipe, a socket, a regular file or
// something live.
func (n Node) Object() *uint64 { return &n.in().object }

// Removed reports whether no name leads to n any more.
func (n Node) Removed() bool { return n.in().links == 0 }

// blockSize is what Stat gives as the preferred size of reads and writes.
const blockSize = 4096

// Stat fills s in as stat(2) does.
func (n Node) Stat(s *syscall.Stat_t) {
	in := n.in()
	*s = syscall.Stat_t{
		Dev: 1, Ino: in.number, Nlink: uint64(in.links), Mode: in.mode, Uid: in.uid, Gid: in.gid,
		Rdev: uint64(in.device), Size: in.size, Blksize: blockSize, Blocks: in.pages * (PageSize / 512),
		Atim: syscall.NsecToTimespec(in.accessed), Mtim: syscall.NsecToTimespec(in.modified), Ctim: syscall.NsecToTimespec(in.change),
	}
	if in.fixed != 0 {
		s.Blocks = (in.size + 511) / 512
	}
}

// SetMode is chmod(2).
func (n Node) SetMode(mode uint32) {
	in := n.in()
	in.mode = in.mode&syscall.S_IFMT | mode&0o7777
	in.change = memory.Now()
	n.Event(InAttrib)
}

// SetOwner is chown(2); -1 leaves one as it is.
func (n Node) SetOwner(uid, gid uint32) {
	in := n.in()
	if uid != ^uint32(0) {
		in.uid = uid
	}
	if gid != ^uint32(0) {
		in.gid = gid
	}
	in.change = memory.Now()
	if uid&gid != ^uint32(0) {
		n.Event(InAttrib)
	}
}

// Omit, as a time, leaves it as it is.
const Omit = -1 << 63

// SetTimes is utimensat(2), in ns since 1970.
func (n Node) SetTimes(accessed, modified int64) {
	in := n.in()
	if accessed != Omit {
		in.accessed = accessed
	}
	if modified != Omit {
		in.modified = modified
	}
	in.change = memory.Now()
	switch {
	case accessed != Omit && modified != Omit:
		n.Event(InAttrib)
	case accessed != Omit:
		n.Event(InAccess)
	case modified != Omit:
		n.Event(InModify)
	}
}

// Target is where a symbolic link leads; the slice is valid as long as n.
func (n Node) Target() []byte {
	in := n.in()
	if in.target == 0 {
		return nil
	}
	return bytesAt(in.target, uintptr(in.size))
}
