package dist_test

import (
	"errors"
	"fmt"
	"log"

	"nuos/proclet"
	"nuos/proclet/dist"
)

// Hits counts visitors. It is a value of a table.
type Hits struct {
	n    int64
	last proclet.String
}

// Add counts one more.
func (h *Hits) Add(t *proclet.Thread, visitor string) (int64, error) {
	h.n++
	return h.n, h.last.Set(t, visitor)
}

func ExampleHashTable() {
	t := proclet.Current()
	ages, err := dist.NewHashTable[proclet.String, int64](t, dist.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer ages.Release(t)
	for i, name := range []string{"Ada", "Alan", "Grace"} {
		if err := ages.Put(t, proclet.View(name), int64(36+i)); err != nil {
			log.Fatal(err)
		}
	}
	age, ok, err := ages.Get(t, proclet.View("Alan"))
	fmt.Println(age, ok, err)

	entries := ages.Entries(t)
	sum := int64(0)
	for _, age := range entries.All() {
		sum += age
	}
	fmt.Println(sum, entries.Err())
	// Output:
	// 37 true <nil>
	// 111 <nil>
}

func ExampleApply() {
	t := proclet.Current()
	pages, err := dist.NewHashTable[proclet.String, Hits](t, dist.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer pages.Release(t)
	for _, visitor := range []string{"Ada", "Alan"} {
		n, err := dist.Apply(t, pages, proclet.View("index.html"), (*Hits).Add, visitor)
		fmt.Println(n, err)
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
}

func ExampleReduce() {
	t := proclet.Current()
	squares, err := dist.NewHashTable[uint64, int64](t, dist.Options{Shards: 4})
	if err != nil {
		log.Fatal(err)
	}
	defer squares.Release(t)
	for i := range uint64(10) {
		if err := squares.Put(t, i, int64(i*i)); err != nil {
			log.Fatal(err)
		}
	}
	sum, err := dist.Reduce(t, squares, 0,
		func(sum int64, _ *uint64, square *int64) int64 { return sum + *square }, // at the shards
		func(a, b int64) int64 { return a + b })
	fmt.Println(sum, err)
	// Output: 285 <nil>
}

func ExampleVector() {
	t := proclet.Current()
	v, err := dist.NewVector[int64](t, dist.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Release(t)
	if _, err := v.Append(t, 3, 1, 4, 1, 5); err != nil {
		log.Fatal(err)
	}
	err = dist.Update(t, v, func(i int, p *int64, _ *proclet.Thread, by int64) error {
		*p *= by
		return nil
	}, 10)
	if err != nil {
		log.Fatal(err)
	}
	elements := v.Range(t, 2, -1)
	for i, e := range elements.All() {
		fmt.Println(i, e)
	}
	fmt.Println(elements.Err())
	// Output:
	// 2 40
	// 3 10
	// 4 50
	// <nil>
}

func ExampleQueue() {
	t := proclet.Current()
	q, err := dist.NewQueue[proclet.String](t, dist.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Release(t)
	go func() { // on any machine
		for _, job := range []string{"wash", "dry", "fold"} {
			if err := q.Push(t, proclet.View(job)); err != nil {
				log.Print(err)
			}
		}
		q.Close(t)
	}()
	for {
		job, err := q.Pop(t)
		if errors.Is(err, dist.ErrClosed) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(job)
	}
	// Output:
	// wash
	// dry
	// fold
}

func ExampleMemPool() {
	t := proclet.Current()
	pool, err := dist.NewMemPool(t, dist.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Release(t)
	p, err := dist.AllocUnique(t, pool, Hits{})
	if err != nil {
		log.Fatal(err)
	}
	n, err := proclet.CallAt(t, p.Ptr(), (*Hits).Add, "Ada")
	fmt.Println(n, err)
	fmt.Println(proclet.Release(t, p)) // the object is gone
	// Output:
	// 1 <nil>
	// <nil>
}

// isPrime is a task: it returns 1 if n is prime.
func isPrime(_ *proclet.Thread, n int, _ struct{}) (int64, error) {
	for d := 2; d*d <= n; d++ {
		if n%d == 0 {
			return 0, nil
		}
	}
	return int64(min(n/2, 1)), nil
}

func ExampleExecute() {
	t := proclet.Current()
	primes, err := dist.Execute(t, dist.Job[struct{}, int64]{
		Tasks:   10000,
		Run:     isPrime,
		Combine: func(a, b int64) int64 { return a + b },
	}, dist.ExecutorOptions{})
	fmt.Println(primes, err)
	// Output: 1229 <nil>
}
