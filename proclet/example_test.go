package proclet_test

import (
	"errors"
	"fmt"
	"log"

	"nuos/proclet"
	"nuos/rack"
)

// Counter counts by name. It is the state type of the examples.
type Counter struct {
	mu   proclet.Mutex
	hits proclet.Map[proclet.String, int64]
}

// Add counts one more and returns how many there were.
func (c *Counter) Add(t *proclet.Thread, key string) (int64, error) {
	c.mu.Lock(t)
	defer c.mu.Unlock(t)
	n, err := c.hits.Entry(t, proclet.View(key))
	if err != nil {
		return 0, err // the heap is full
	}
	*n++
	return *n, nil
}

// Top returns the name with the highest count. The result refers to the state,
// so the lock is held until it has been copied.
func (c *Counter) Top(t *proclet.Thread, _ struct{}) (string, error) {
	c.mu.Hold(t)
	var top proclet.String
	var most int64
	for key, n := range c.hits.All() {
		if *n > most {
			top, most = *key, *n
		}
	}
	return top.String(), nil
}

func Example() {
	r, err := rack.Join(rack.Config{}) // boot parameters say which rack
	if err != nil {
		log.Fatal(err)
	}
	proclet.Serve(r)
	t := proclet.Current()

	// One counter for the whole rack, whoever comes first.
	ref, err := proclet.Singleton(t, "requests", func(t *proclet.Thread) (proclet.Ref[Counter], error) {
		return proclet.New[Counter](t, proclet.Options{Capacity: 1 << 20})
	})
	if err != nil {
		log.Fatal(err)
	}
	n, err := proclet.Call(t, ref, (*Counter).Add, "index.html")
	if errors.Is(err, proclet.ErrMaybeExecuted) {
		log.Print("a machine died; the count may be one too high or not")
	}
	fmt.Println(n, err)
}

func ExampleGo() {
	t := proclet.Current()
	ref, err := proclet.Lookup[Counter](t, "requests")
	if err != nil {
		log.Fatal(err)
	}
	a := proclet.Go(t, ref, (*Counter).Add, "a")
	b := proclet.Go(t, ref, (*Counter).Add, "b")
	na, errA := a.Wait(t)
	nb, errB := b.Wait(t)
	fmt.Println(na, nb, errors.Join(errA, errB))
}
