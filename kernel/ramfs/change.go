package ramfs

import "syscall"

// What changes the tree. Each takes a finished Walk of the path, in mode Parent.
// Which of several errors counts is as in Linux's fs/namei.c.

// Make makes what the path names: a regular file, a device, a pipe or a socket,
// as the kind in mode says.
func (w *Walk) Make(mode uint32) (Node, syscall.Errno) {
	switch {
	case w.long:
		return 0, syscall.ENAMETOOLONG
	case w.Node != 0:
		return 0, syscall.EEXIST
	case w.Slash:
		return 0, syscall.ENOENT
	}
	return w.add(mode)
}

func (w *Walk) add(mode uint32) (Node, syscall.Errno) {
	n, ok := newNode(mode)
	if !ok {
		return 0, syscall.ENOSPC
	}
	if e := w.Folder.enter(w.Name(), n); e != 0 {
		n.reap()
		return 0, e
	}
	n.in().links = 1
	w.Node = n
	w.Folder.named(InCreate, 0, w.Name(), n)
	return n, 0
}

// MakeFixed makes a regular file whose content lies at data for ever.
func (w *Walk) MakeFixed(mode uint32, data uintptr, size int64) syscall.Errno {
	n, e := w.Make(mode)
	if e == 0 {
		n.in().fixed, n.in().size = data, size
	}
	return e
}

// MakeDevice makes a device; Node.Device returns the number.
func (w *Walk) MakeDevice(mode, number uint32) syscall.Errno {
	n, e := w.Make(mode)
	if e == 0 {
		n.in().device = number
	}
	return e
}

// MakeFolder is mkdir(2).
func (w *Walk) MakeFolder(mode uint32) syscall.Errno {
	switch {
	case w.long:
		return syscall.ENAMETOOLONG
	case w.Node != 0:
		return syscall.EEXIST
	}
	n, e := w.add(syscall.S_IFDIR | mode&0o7777)
	if e != 0 {
		return e
	}
	n.in().links, n.in().parent = 2, w.Folder
	w.Folder.in().links++
	return 0
}

// MakeLink is symlink(2).
func (w *Walk) MakeLink(target []byte) syscall.Errno {
	switch {
	case len(target) == 0:
		return syscall.ENOENT
	case len(target) >= maxPath || w.long:
		return syscall.ENAMETOOLONG
	case w.Node != 0:
		return syscall.EEXIST
	case w.Slash:
		return syscall.ENOENT
	}
	page, ok := allocPage()
	if !ok {
		return syscall.ENOSPC
	}
	n, e := w.add(syscall.S_IFLNK | 0o777)
	if e != 0 {
		freePage(page)
		return e
	}
	n.in().target, n.in().size = page, int64(copy(bytesAt(page, PageSize), target))
	return 0
}

// LinkTo is link(2): a second name for n.
func (w *Walk) LinkTo(n Node) syscall.Errno {
	switch {
	case w.long:
		return syscall.ENAMETOOLONG
	case w.Node != 0:
		return syscall.EEXIST
	case w.Slash:
		return syscall.ENOENT
	case n.Kind() == syscall.S_IFDIR:
		return syscall.EPERM
	}
	if e := w.Folder.enter(w.Name(), n); e != 0 {
		return e
	}
	n.in().links++
	n.in().change = memory.Now()
	n.tell(InAttrib, 0, nil)
	w.Folder.named(InCreate, 0, w.Name(), n)
	return 0
}

// Unlink is unlink(2).
func (w *Walk) Unlink() syscall.Errno {
	switch {
	case w.long:
		return syscall.ENAMETOOLONG
	case !w.plain():
		return syscall.EISDIR
	case w.Node == 0:
		return syscall.ENOENT
	case w.Node.Kind() == syscall.S_IFDIR:
		return syscall.EISDIR
	case w.Slash:
		return syscall.ENOTDIR
	}
	n := w.Node
	n.Hold()
	forget(w.Folder.find(w.Name()))
	n.unlinked()
	n.tell(InAttrib, 0, nil)
	n.Release() // which may be its end, and is told first
	w.Folder.tell(InDelete, 0, w.Name())
	w.Node = 0
	return 0
}

// unlinked takes a name off a file that is no folder.
func (n Node) unlinked() {
	in := n.in()
	in.links--
	in.change = memory.Now()
	if in.entry == 0 {
		in.entry = n.entryOf() // another name
	}
	n.reap()
}

// RemoveFolder is rmdir(2).
func (w *Walk) RemoveFolder() syscall.Errno {
	switch {
	case string(w.Name()) == "..":
		return syscall.ENOTEMPTY
	case string(w.Name()) == ".":
		return syscall.EINVAL
	case w.Node == root:
		return syscall.EBUSY
	case w.long:
		return syscall.ENAMETOOLONG
	case w.Node == 0:
		return syscall.ENOENT
	case w.Node.Kind() != syscall.S_IFDIR:
		return syscall.ENOTDIR
	case w.Node.in().first != 0:
		return syscall.ENOTEMPTY
	}
	forget(w.Folder.find(w.Name()))
	w.Node.buried() // which may be its end, and is told first
	w.Folder.tell(InDelete|inIsFolder, 0, w.Name())
	w.Node = 0
	return 0
}

// buried ends a folder that has lost its name.
func (n Node) buried() {
	in := n.in()
	in.parent.in().links--
	in.links = 0
	n.reap()
}

// Flags of Rename, as in renameat2(2).
const (
	RenameNoReplace = 1
	RenameExchange  = 2
)

// Rename is renameat2(2): what w names gets the name to.
func (w *Walk) Rename(to *Walk, flags uint64) syscall.Errno {
	switch {
	case flags&^(RenameNoReplace|RenameExchange) != 0 || flags == RenameNoReplace|RenameExchange:
		return syscall.EINVAL
	case !w.plain() || !to.plain():
		return syscall.EBUSY
	case w.long:
		return syscall.ENAMETOOLONG
	case w.Node == 0:
		return syscall.ENOENT
	case to.long:
		return syscall.ENAMETOOLONG
	case flags == RenameNoReplace && to.Node != 0:
		return syscall.EEXIST
	case flags == RenameExchange && to.Node == 0:
		return syscall.ENOENT
	}
	folder := w.Node.Kind() == syscall.S_IFDIR
	if !folder && (w.Slash || to.Slash && flags != RenameExchange) {
		return syscall.ENOTDIR
	}
	if folder && to.Folder.below(w.Node) || flags == RenameExchange && w.Folder.below(to.Node) {
		return syscall.EINVAL
	}
	if to.Node != 0 && w.Folder.below(to.Node) {
		return syscall.ENOTEMPTY
	}
	if w.Node == to.Node {
		return 0 // two names of one file stay as they are
	}
	if flags == RenameExchange {
		w.exchange(to)
		return 0
	}
	if to.Node != 0 {
		return w.replace(to, folder)
	}
	if e := to.Folder.enter(to.Name(), w.Node); e != 0 {
		return e
	}
	w.leave(to)
	w.Node.tell(InMoveSelf, 0, nil)
	return 0
}

// replace renames over what is there.
func (w *Walk) replace(to *Walk, folder bool) syscall.Errno {
	old := to.Node
	switch isFolder := old.Kind() == syscall.S_IFDIR; {
	case folder && !isFolder:
		return syscall.ENOTDIR
	case !folder && isFolder:
		return syscall.EISDIR
	case isFolder && old.in().first != 0:
		return syscall.ENOTEMPTY
	}
	old.Hold() // its end is told last
	at := to.Folder.find(to.Name())
	point(at, w.Node)
	to.Folder.in().touch()
	if folder {
		old.buried()
	} else {
		old.unlinked()
	}
	w.leave(to)
	old.tell(InAttrib|old.folderBit(), 0, nil)
	w.Node.tell(InMoveSelf, 0, nil)
	old.Release()
	return 0
}

// point makes an entry lead to n.
func point(e uintptr, n Node) {
	x := entryAt(e)
	if x.node.in().entry == e {
		x.node.in().entry = 0
	}
	x.node, n.in().entry = n, e
}

// leave takes the old name away from what has a new one, perhaps in another folder.
func (w *Walk) leave(to *Walk) {
	forget(w.Folder.find(w.Name()))
	w.Node.moved(w.Folder, to.Folder)
	renamed(w.Node, w.Folder, to.Folder, w.Name(), to.Name())
}

// moved notes that n has gone from one folder to another.
func (n Node) moved(from, to Node) {
	in := n.in()
	in.change = memory.Now()
	if in.mode&syscall.S_IFMT == syscall.S_IFDIR {
		from.in().links--
		to.in().links++
		in.parent = to
	}
}

func (w *Walk) exchange(to *Walk) {
	a, b := w.Folder.find(w.Name()), to.Folder.find(to.Name())
	point(a, to.Node)
	point(b, w.Node)
	w.Folder.in().touch()
	to.Folder.in().touch()
	w.Node.moved(w.Folder, to.Folder)
	to.Node.moved(to.Folder, w.Folder)
	renamed(w.Node, w.Folder, to.Folder, w.Name(), to.Name())
	w.Node.tell(InMoveSelf, 0, nil)
	renamed(to.Node, to.Folder, w.Folder, to.Name(), w.Name())
	to.Node.tell(InMoveSelf, 0, nil)
}

// below reports whether n is top or lies below it.
func (n Node) below(top Node) bool {
	for n != top {
		if n == root || n.in().links == 0 {
			return false
		}
		n = n.in().parent
	}
	return true
}
