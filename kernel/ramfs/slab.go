package ramfs

// Small objects are cut out of pages: each page has objects of one size behind a
// header, and goes back when the last of them does.

const (
	slabHeader = 64
	minObject  = 64
	numClasses = 4 // 64, 128, 256, 512 bytes
)

type slab struct {
	next, prev uintptr // in the list of slabs of the class that have a free object
	free       uintptr // first free object; each holds the address of the next
	class      int32
	live       int32 // objects in use
}

// partial has the first slab of each class with a free object, 0 for none.
var partial [numClasses]uintptr

func slabOf(object uintptr) *slab { return (*slab)(pointer(object &^ (PageSize - 1))) }

// allocObject returns zeroed memory of at least n bytes, up to 512.
func allocObject(n uintptr) (uintptr, bool) {
	class := int32(0)
	for uintptr(minObject)<<class < n {
		class++
	}
	page := partial[class]
	if page == 0 {
		p, ok := newSlab(class)
		if !ok {
			return 0, false
		}
		page = p
	}
	s := (*slab)(pointer(page))
	o := s.free
	s.free = *(*uintptr)(pointer(o))
	s.live++
	if s.free == 0 {
		s.unlink(page)
	}
	clear(bytesAt(o, minObject<<class))
	return o, true
}

func newSlab(class int32) (uintptr, bool) {
	page, ok := allocPage()
	if !ok {
		return 0, false
	}
	s := (*slab)(pointer(page))
	s.class = class
	size := uintptr(minObject) << class
	for o := page + slabHeader; o+size <= page+PageSize; o += size {
		*(*uintptr)(pointer(o)) = s.free
		s.free = o
	}
	s.link(page)
	return page, true
}

func freeObject(o uintptr) {
	page := o &^ (PageSize - 1)
	s := slabOf(o)
	if s.free == 0 {
		s.link(page)
	}
	*(*uintptr)(pointer(o)) = s.free
	s.free = o
	if s.live--; s.live == 0 {
		s.unlink(page)
		freePage(page)
	}
}

func (s *slab) link(page uintptr) {
	s.prev, s.next = 0, partial[s.class]
	if s.next != 0 {
		(*slab)(pointer(s.next)).prev = page
	}
	partial[s.class] = page
}

func (s *slab) unlink(page uintptr) {
	if s.prev != 0 {
		(*slab)(pointer(s.prev)).next = s.next
	} else {
		partial[s.class] = s.next
	}
	if s.next != 0 {
		(*slab)(pointer(s.next)).prev = s.prev
	}
}
