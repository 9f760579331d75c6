package fiber_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"nuos/mm"
	"nuos/proclet/internal/fiber"
	"nuos/proclet/internal/fiber/internal/stress"

	"golang.org/x/sys/unix"
)

// sample returns the image of a fiber in the middle of something, in region n, which
// is not in use any more.
func sample(t testing.TB, n int) []byte {
	fs := hooked(t)
	start(n, func(f *fiber.Fiber) {
		h := headerOf(f)
		defer func() { h.n++ }()
		p := (*int)(f.Alloc(8))
		*p = 41
		if err := deeper(f, 3); err != nil {
			panic(err)
		}
		h.n = *p
	})
	f := <-fs.detached
	image := f.Image()
	f.Depart()
	return image
}

//go:noinline
func deeper(f *fiber.Fiber, n int) error {
	if n == 0 {
		return f.Leave()
	}
	return deeper(f, n-1)
}

// finish thaws and runs what sample returned.
func finish(t testing.TB, image []byte) {
	t.Helper()
	fs := hooked(t)
	f, err := fiber.Thaw(image)
	if err != nil {
		t.Fatal(err)
	}
	f.Start()
	if f = <-fs.ended; headerOf(f).n != 42 {
		t.Errorf("header holds %d; want 42", headerOf(f).n)
	}
	f.Free()
}

func TestImage(t *testing.T) {
	needMovable(t)
	image := sample(t, 1)
	copied := headerIn(image)
	if copied.Base() != 0 || copied.n != 0 {
		t.Errorf("header in the image: base %d, n %d", copied.Base(), copied.n)
	}
	for range 3 {
		finish(t, image)
	}
	if len(image) > 4096 {
		t.Errorf("an image of %d bytes", len(image))
	}
}

func headerIn(image []byte) *header { return (*header)(unsafe.Pointer(&fiber.Header(image)[0])) }

// TestThawRefuses hands over what is no image.
func TestThawRefuses(t *testing.T) {
	needMovable(t)
	image := sample(t, 2)
	for n := 0; n < len(image); n += 1 + n/64 {
		if _, err := fiber.Thaw(image[:n]); !errors.Is(err, fiber.ErrImage) {
			t.Fatalf("%d of %d bytes: %v; want ErrImage", n, len(image), err)
		}
	}
	if _, err := fiber.Thaw(append(bytes.Clone(image), 0)); !errors.Is(err, fiber.ErrImage) {
		t.Fatalf("a byte too many: %v; want ErrImage", err)
	}
	// All of the preamble and of the Fiber is verified, but for the kick, which is
	// forgotten, and padding.
	const preamble, word = 32, 8
	accepted := 0
	for i := 0; i < preamble+int(unsafe.Sizeof(fiber.Fiber{})); i += word {
		bad := bytes.Clone(image)
		binary.LittleEndian.PutUint64(bad[i:], 0x5555_5555_5555_5555)
		if f, err := fiber.Thaw(bad); err == nil {
			t.Logf("the word at %d is not verified", i)
			accepted++
			f.Depart()
		}
	}
	if accepted > 1 {
		t.Errorf("%d words of the header are not verified", accepted)
	}
	f, err := fiber.Thaw(image)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fiber.Thaw(image); !errors.Is(err, fiber.ErrOccupied) {
		t.Errorf("thawed twice: %v; want ErrOccupied", err)
	}
	f.Depart()
	finish(t, image)
}

// FuzzThaw changes a word of an image. What Thaw accepts is not started.
func FuzzThaw(f *testing.F) {
	if !fiber.Movable {
		f.Skip("with the race detector there are no images")
	}
	image := sample(f, 3)
	f.Add(uint16(0), uint64(0))
	f.Add(uint16(32), uint64(1)<<63)
	f.Add(uint16(len(image)-48), uint64(mm.StackArea.Base))
	f.Fuzz(func(t *testing.T, at uint16, word uint64) {
		b := bytes.Clone(image)
		binary.LittleEndian.PutUint64(b[int(at)%(len(b)-7):], word)
		g, err := fiber.Thaw(b)
		switch {
		case err == nil:
			g.Depart()
		case !errors.Is(err, fiber.ErrImage):
			t.Errorf("%v; want ErrImage", err)
		}
	})
}

// resident counts the pages of a region that cost memory.
func resident(t *testing.T, r mm.Range) (n int) {
	pages := make([]byte, r.Size/mm.PageSize)
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(r.Base), uintptr(r.Size), uintptr(unsafe.Pointer(&pages[0]))); errno != 0 {
		t.Fatal(errno)
	}
	return bytes.Count(pages, []byte{1})
}

//go:noinline
func deep(n int) int {
	var frame [64]int
	frame[n%64] = n
	if n == 0 {
		return 0
	}
	return deep(n-1) + frame[(n+1)%64]
}

// TestPages verifies that memory is given back.
func TestPages(t *testing.T) {
	needMovable(t)
	fs := hooked(t)
	const first, n = 20_000, 300
	for i := range n {
		start(first+i, func(f *fiber.Fiber) {
			f.Alloc(100_000)
			deep(1000)
		})
		f := <-fs.ended
		if got := resident(t, f.Region()); got < 100 {
			t.Fatalf("a fiber has touched %d pages; want many", got)
		}
		f.Free()
	}
	havePages := func() (many int) {
		for i := range n {
			if resident(t, stress.Region(first+i)) > 0 {
				many++
			}
		}
		return many
	}
	for patience := time.Now().Add(time.Minute); havePages() > 64; runtime.Gosched() {
		if time.Now().After(patience) {
			t.Fatalf("%d free regions have pages; want 64 at most", havePages())
		}
	}
	sample(t, first)
	if got := resident(t, stress.Region(first)); got == 0 {
		t.Errorf("no pages are left where a fiber has just departed")
	}
	fiber.Trim()
	for i := range n {
		if got := resident(t, stress.Region(first+i)); got != 0 {
			t.Fatalf("%d pages are left after Trim", got)
		}
	}
}
