package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"time"
)

// node is a node of a tree; the words of check say whether it is intact.
type node struct {
	left, right *node
	check       [2]uint64
}

func grow(depth int) *node {
	n := &node{check: [2]uint64{uint64(depth), ^uint64(depth)}}
	if depth > 0 {
		n.left, n.right = grow(depth-1), grow(depth-1)
	}
	return n
}

// count returns the number of intact nodes.
func (n *node) count() int {
	if n == nil || n.check[0] != ^n.check[1] {
		return 0
	}
	return 1 + n.left.count() + n.right.count()
}

func tree(int) error {
	const depth = 10
	if n, want := grow(depth).count(), 1<<(depth+1)-1; n != want {
		return fmt.Errorf("a tree has %d intact nodes, want %d", n, want)
	}
	return nil
}

var sink float64

// loop is a loop in which no function is called and floating-point registers are live all
// the time.
func loop(int) error {
	const turns = 1e6
	x, y := 1.0, 0.5
	for range int(turns) {
		x = x*1.0000001 + y
		y = y*0.9999999 - 0.25
	}
	want, y2 := 1.0, 0.5
	for range int(turns) {
		want = want*1.0000001 + y2
		y2 = y2*0.9999999 - 0.25
	}
	sink = x
	if x != want || y != y2 {
		return fmt.Errorf("the same computation gave %v, %v and %v, %v", x, y, want, y2)
	}
	return nil
}

func timers(worker int) error {
	d := time.Duration(worker+1) * time.Millisecond
	began := time.Now()
	switch worker % 3 {
	case 0:
		time.Sleep(d)
	case 1:
		<-time.After(d)
	case 2:
		t := time.NewTicker(d)
		<-t.C
		t.Stop()
	}
	if took := time.Since(began); took < d {
		return fmt.Errorf("%v of waiting took %v", d, took)
	}
	return nil
}

// thread has a thread begin and, because its goroutine ends locked to it, end.
func thread(int) error {
	tid := make(chan int)
	go func() {
		runtime.LockOSThread()
		tid <- syscall.Gettid()
	}()
	if n := <-tid; n <= 0 {
		return fmt.Errorf("a thread has the number %d", n)
	}
	return nil
}

// mapping maps memory, writes here and there, gives parts back and looks at what is left.
func mapping(int) error {
	const size, page = 2 << 20, 4096
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return err
	}
	kept, given := rand.IntN(size/page/2)*page, size/2+rand.IntN(size/page/2)*page
	b[kept], b[given] = 1, 2
	if err := syscall.Madvise(b[size/2:], syscall.MADV_DONTNEED); err != nil {
		return err
	}
	if b[kept] != 1 || b[given] != 0 {
		return fmt.Errorf("pages %d and %d hold %d and %d, want 1 and 0", kept/page, given/page, b[kept], b[given])
	}
	return syscall.Munmap(b)
}
