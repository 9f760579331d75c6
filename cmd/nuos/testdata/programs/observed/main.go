// Observed has something to see: a busy function, a contended lock, a system call
// that does not exist, and, if asked, a crash.
package main

import (
	"log"
	"net/http"
	_ "net/http/pprof"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func main() {
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	var mu sync.Mutex
	for range 2 {
		go contend(&mu)
	}
	go busy()
	http.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) { go crash() })
	// A call that no Linux has.
	syscall.Syscall(472, 0, 0, 0)
	log.Fatal(http.ListenAndServe(":8080", nil))
}

var kept [][]byte

// busy computes for ever, with pauses, and keeps some memory.
//
//go:noinline
func busy() {
	kept = append(kept, hoard())
	for n := 0; ; n++ {
		for i := range 10_000_000 {
			n += i * n
		}
		time.Sleep(time.Millisecond)
	}
}

//go:noinline
func hoard() []byte { return make([]byte, 16<<20) }

func contend(mu *sync.Mutex) {
	for {
		mu.Lock()
		time.Sleep(time.Millisecond)
		mu.Unlock()
	}
}

//go:noinline
func crash() {
	var nowhere *int
	*nowhere = 1
}
