package ramfs

import "syscall"

// Live folders and links: those whose content is the caller's, who is asked each
// time. A folder or a link with a device number is live.

// Add makes an entry of a folder, of any kind, with a device number and a word
// for the caller (see Object). The name must be free.
func (n Node) Add(name []byte, mode, number uint32, object uint64) (Node, syscall.Errno) {
	c, ok := newNode(mode)
	if !ok {
		return 0, syscall.ENOSPC
	}
	if e := n.enter(name, c); e != 0 {
		c.reap()
		return 0, e
	}
	in := c.in()
	in.device, in.object, in.links = number, object, 1
	if c.Kind() == syscall.S_IFDIR {
		in.links, in.parent = 2, n
		n.in().links++
	}
	return c, 0
}

// Drop removes an entry of a folder with all that is below it.
func (n Node) Drop(name []byte) {
	e := n.find(name)
	c := entryAt(e).node
	forget(e)
	if c.Kind() != syscall.S_IFDIR {
		c.unlinked()
		return
	}
	for c.in().first != 0 {
		c.Drop(entryAt(c.in().first).name())
	}
	c.buried()
}

// Find is the entry of a folder with a name, 0 if there is none.
func (n Node) Find(name []byte) Node {
	if e := n.find(name); e != 0 {
		return entryAt(e).node
	}
	return 0
}

// Copy makes an empty file that no path leads to, held by the caller, with the
// attributes of n, its number included.
func (n Node) Copy() (Node, syscall.Errno) {
	c, e := New(n.in().mode)
	if e == 0 {
		in := c.in()
		in.number, in.uid, in.gid = n.in().number, n.in().uid, n.in().gid
	}
	return c, e
}

// refresh has the caller bring a live folder up to date.
func (n Node) refresh() {
	if n.in().device != 0 {
		memory.Refresh(n)
	}
}
