package ramfs

import "syscall"

const (
	maxPath  = 4096
	maxLinks = 40 // symbolic links in one walk
)

// Walk follows a path. It is large: keep it in static memory.
type Walk struct {
	Folder Node // that the last element is in
	Node   Node // what it names, 0 if there is nothing yet
	Slash  bool // the path ends in a slash, so it must name a folder

	long       bool // the last element is too long
	name       [maxName]byte
	nameLen    int
	path       [2][maxPath]byte // the rest of the path, and where the next one is put together
	half       int
	begin, end int
}

// Name is the last element of the path: empty for the root, perhaps "." or "..".
//
//go:noinline
func (w *Walk) Name() []byte { return w.name[:w.nameLen] }

// plain reports whether the last element can be made or removed.
func (w *Walk) plain() bool {
	switch string(w.Name()) {
	case "", ".", "..":
		return false
	}
	return true
}

// Mode says what a walk does at the last element of a path.
type Mode int

const (
	Follow   Mode = iota // a symbolic link there is followed
	NoFollow             // only if a slash comes after it
	Create               // it is followed, and what it names may have to be made by open(2)
	Parent               // never: the element is to be made, renamed or removed
)

// Go walks from the folder at, or from the root if the path begins with a slash.
// That the last element does not exist is no error: Node is 0 then.
func (w *Walk) Go(at Node, path []byte, mode Mode) syscall.Errno {
	if len(path) == 0 {
		return syscall.ENOENT
	}
	if len(path) >= maxPath {
		return syscall.ENAMETOOLONG
	}
	w.half, w.begin = 0, 0
	w.end = copy(w.path[0][:], path)
	if path[0] == '/' {
		at = root
	}
	for links := 0; ; {
		long := w.element()
		last := w.begin == w.end
		w.Folder, w.Node = at, 0
		if at.Kind() != syscall.S_IFDIR {
			return syscall.ENOTDIR
		}
		if last && mode == Create && w.Slash && w.plain() {
			return syscall.EISDIR
		}
		if w.long = long; long {
			if last && mode == Parent {
				return 0 // what else is wrong counts first
			}
			return syscall.ENAMETOOLONG
		}
		if at.in().links == 0 && w.nameLen > 0 && string(w.Name()) != "." {
			return syscall.ENOENT // a removed folder has no entries
		}
		switch string(w.Name()) {
		case "", ".":
			w.Node = at
		case "..":
			w.Node = at.in().parent
		default:
			at.refresh()
			if e := at.find(w.Name()); e != 0 {
				w.Node = entryAt(e).node
			}
		}
		switch {
		case w.Node == 0:
			if last {
				return 0
			}
			return syscall.ENOENT
		case w.Node.Kind() == syscall.S_IFLNK && (!last || mode == Follow || mode == Create || mode == NoFollow && w.Slash):
			if links++; links > maxLinks {
				return syscall.ELOOP
			}
			if w.Node.in().device != 0 {
				to := memory.Jump(w.Node)
				switch {
				case to == 0 && last:
					return 0 // the caller knows what it leads to
				case to == 0:
					return syscall.ENOTDIR
				}
				w.Node = to
				if last {
					return 0
				}
				at = to
				continue
			}
			if e := w.splice(w.Node.Target()); e != 0 {
				return e
			}
			if w.path[w.half][w.begin] == '/' {
				at = root
			}
		case last:
			if w.Slash && mode != Parent && w.Node.Kind() != syscall.S_IFDIR {
				return syscall.ENOTDIR
			}
			return 0
		default:
			at = w.Node
		}
	}
}

// element takes the next element off the path, with the slashes around it, and
// reports whether it is too long to be a name.
func (w *Walk) element() (long bool) {
	p := &w.path[w.half]
	for w.begin < w.end && p[w.begin] == '/' {
		w.begin++
	}
	start := w.begin
	for w.begin < w.end && p[w.begin] != '/' {
		w.begin++
	}
	long = w.begin-start > maxName
	w.nameLen = copy(w.name[:], p[start:w.begin])
	w.Slash = w.begin < w.end
	for w.begin < w.end && p[w.begin] == '/' {
		w.begin++
	}
	return long
}

// splice puts the target of a link before the rest of the path.
func (w *Walk) splice(target []byte) syscall.Errno {
	if len(target) == 0 {
		return syscall.ENOENT
	}
	from, to := &w.path[w.half], &w.path[1-w.half]
	rest := w.end - w.begin
	if len(target)+1+rest >= maxPath {
		return syscall.ENAMETOOLONG
	}
	n := copy(to[:], target)
	if w.Slash {
		to[n] = '/'
		n++
	}
	n += copy(to[n:], from[w.begin:w.end])
	w.half, w.begin, w.end = 1-w.half, 0, n
	return 0
}
