package proclet

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
	"unsafe"
)

// BenchmarkMap compares the containers with Go's map, for string keys in random
// order. Where an operation copies a string into the heap, Go's allocates one.
func BenchmarkMap(b *testing.B) {
	for _, n := range []int{100, 1000, 10000, 100000, 1000000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkMap(b, n) })
	}
}

func benchmarkMap(b *testing.B, n int) {
	keys := make([]string, n)
	m := map[string]string{}
	for i := range keys {
		keys[i] = fmt.Sprintf("key:%012d", i)
		m[keys[i]] = fmt.Sprintf("val:%012d", i)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	inHeap(b, 1<<30, func(th *Thread, s *root) {
		for _, k := range keys {
			if err := s.words.Put(th, View(k), View(m[k])); err != nil {
				b.Fatal(err)
			}
		}
		sum := 0
		b.Run("get", func(b *testing.B) {
			ratio(b, func(i int) { sum += len(m[keys[i%n]]) }, func(i int) { sum += s.words.Get(View(keys[i%n])).Len() })
		})
		b.Run("miss", func(b *testing.B) {
			ratio(b, func(i int) { sum += len(m[keys[i%n][1:]]) }, func(i int) {
				if s.words.Has(View(keys[i%n][1:])) {
					sum++
				}
			})
		})
		b.Run("put", func(b *testing.B) {
			ratio(b, func(i int) { m[keys[i%n]] = string([]byte(keys[(i+1)%n])) }, func(i int) { s.words.Put(th, View(keys[i%n]), View(keys[(i+1)%n])) })
		})
		b.Run("fill", func(b *testing.B) {
			others := []Map[String, String]{{}}
			fresh := map[string]string{}
			ratio(b, func(i int) {
				if i%n == 0 {
					fresh = map[string]string{}
				}
				fresh[string([]byte(keys[i%n]))] = string([]byte(keys[i%n]))
			}, func(i int) {
				if i%n == 0 {
					others = append(others, Map[String, String]{})
				}
				if err := others[len(others)-1].Put(th, View(keys[i%n]), View(keys[i%n])); err != nil {
					b.Fatal(err)
				}
			})
			for i := range others {
				others[i].Clear(th)
			}
		})
		s.words.Clear(th)
	})
}

// BenchmarkOrderedMap compares OrderedMap with Map.
func BenchmarkOrderedMap(b *testing.B) {
	const n = 100000
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("key:%012d", i)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	inHeapOf(b, 256<<20, func(th *Thread, s *struct {
		hashed Map[String, uint64]
		sorted OrderedMap[String, uint64]
	}) {
		for i, k := range keys {
			if s.hashed.Put(th, View(k), uint64(i)) != nil || s.sorted.Put(th, View(k), uint64(i)) != nil {
				b.Fatal("full")
			}
		}
		sum := uint64(0)
		b.Run("get", func(b *testing.B) {
			ratio(b, func(i int) { sum += *s.hashed.Get(View(keys[i%n])) }, func(i int) { sum += *s.sorted.Get(View(keys[i%n])) })
		})
		b.Run("all", func(b *testing.B) {
			for b.Loop() {
				for _, v := range s.sorted.All() {
					sum += *v
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
		})
		s.hashed.Clear(th)
		s.sorted.Clear(th)
	})
}

// BenchmarkAlloc compares the allocator of a heap with Go's, without and with the
// work of Go's collector. A thousand objects live at a time.
func BenchmarkAlloc(b *testing.B) {
	for _, size := range []int{16, 64, 256, 1024, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			inHeap(b, 64<<20, func(th *Thread, s *root) {
				var ours [1000]unsafe.Pointer
				theirs := make([][]byte, 1000)
				h := th.heap
				ratio(b, func(i int) { theirs[i%1000] = make([]byte, size) }, func(i int) {
					p := &ours[i%1000]
					if *p != nil {
						h.Free(*p)
					}
					*p, _ = h.Alloc(uint64(size))
				})
				for _, p := range ours {
					if p != nil {
						h.Free(p)
					}
				}
				runtime.KeepAlive(theirs)
			})
		})
	}
}

// BenchmarkAllocTogether has two goroutines allocate from one heap, and compares
// with one that does as much: caches for each thread would be worth what this is
// above 1/2 on two processors.
func BenchmarkAllocTogether(b *testing.B) {
	inHeap(b, 64<<20, func(th *Thread, s *root) {
		h := th.heap
		work := func(n int) {
			var ours [100]unsafe.Pointer
			for i := range n {
				p := &ours[i%100]
				if *p != nil {
					h.Free(*p)
				}
				*p, _ = h.AllocBytes(64)
			}
			for _, p := range ours {
				if p != nil {
					h.Free(p)
				}
			}
		}
		start := time.Now()
		work(b.N)
		alone := time.Since(start)
		b.ResetTimer()
		done := make(chan struct{})
		go func() {
			work(b.N / 2)
			close(done)
		}()
		work(b.N / 2)
		<-done
		b.ReportMetric(float64(b.Elapsed())/float64(alone), "times-alone")
	})
}
