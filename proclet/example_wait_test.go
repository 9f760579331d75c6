package proclet_test

import (
	"fmt"
	"log"
	"time"

	"nuos/proclet"
)

// Mailbox is a queue: Receive waits until there is a letter.
type Mailbox struct {
	mu      proclet.Mutex
	arrived proclet.Cond
	letters proclet.Deque[proclet.String]
}

func (m *Mailbox) Send(t *proclet.Thread, letter string) (int, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	m.arrived.Signal(t)
	return m.letters.Len() + 1, m.letters.PushBack(t, proclet.View(letter))
}

func (m *Mailbox) Receive(t *proclet.Thread, patience time.Duration) (string, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	for m.letters.Len() == 0 {
		if !m.arrived.WaitFor(t, &m.mu, patience) {
			return "nothing", nil
		}
	}
	letter, _ := m.letters.PopFront(t)
	defer letter.Free(t)
	return letter.Clone(), nil
}

func ExampleCond() {
	t := proclet.Current()
	box, err := proclet.New[Mailbox](t, proclet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	first := proclet.Go(t, box, (*Mailbox).Receive, time.Hour)
	if _, err := proclet.Call(t, box, (*Mailbox).Send, "hello"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.Wait(t))
	fmt.Println(proclet.Call(t, box, (*Mailbox).Receive, time.Millisecond))
	// Output:
	// hello <nil>
	// nothing <nil>
}

// Account is guarded by a Mutex for which nobody waits longer than need be.
type Account struct {
	mu      proclet.Mutex
	balance int64
}

func (a *Account) Deposit(t *proclet.Thread, amount int64) (int64, error) {
	if !a.mu.LockFor(t, time.Second) {
		return 0, fmt.Errorf("busy")
	}
	defer a.mu.Unlock(t)
	a.balance += amount
	return a.balance, nil
}

func ExampleMutex() {
	t := proclet.Current()
	account, err := proclet.New[Account](t, proclet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(proclet.Call(t, account, (*Account).Deposit, 20))
	fmt.Println(proclet.Call(t, account, (*Account).Deposit, 22))
	// Output:
	// 20 <nil>
	// 42 <nil>
}

// Settings are read often and changed seldom.
type Settings struct {
	mu     proclet.RWMutex
	values proclet.Map[proclet.String, proclet.String]
}

type Setting struct{ Name, Value string }

func (s *Settings) Set(t *proclet.Thread, set Setting) (int, error) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	err := s.values.Put(t, proclet.View(set.Name), proclet.View(set.Value))
	return s.values.Len(), err
}

func (s *Settings) Get(t *proclet.Thread, name string) (string, error) {
	s.mu.RLock(t)
	defer s.mu.RUnlock(t)
	if v := s.values.Get(proclet.View(name)); v != nil {
		return v.Clone(), nil // a copy, because the lock ends with the method
	}
	return "", nil
}

func ExampleRWMutex() {
	t := proclet.Current()
	settings, err := proclet.New[Settings](t, proclet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(proclet.Call(t, settings, (*Settings).Set, Setting{"colour", "blue"}))
	fmt.Println(proclet.Call(t, settings, (*Settings).Get, "colour"))
	// Output:
	// 1 <nil>
	// blue <nil>
}

// Squares computes with threads of its own, of which two at a time may compute.
type Squares struct {
	todo  proclet.WaitGroup
	limit proclet.Semaphore
	mu    proclet.Mutex
	sum   int64
}

func (s *Squares) Sum(t *proclet.Thread, n int64) (int64, error) {
	s.limit.Release(t, 2)
	for i := range n {
		s.todo.Add(t, 1)
		if _, err := proclet.Start(t, (*Squares).add, i); err != nil {
			s.todo.Done(t)
			return 0, err
		}
	}
	s.todo.Wait(t)
	return s.sum, nil
}

func (s *Squares) add(t *proclet.Thread, i int64) {
	defer s.todo.Done(t)
	s.limit.Acquire(t, 1)
	defer s.limit.Release(t, 1)
	square := i * i
	s.mu.Lock(t)
	s.sum += square
	s.mu.Unlock(t)
}

func ExampleWaitGroup() {
	t := proclet.Current()
	squares, err := proclet.New[Squares](t, proclet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(proclet.Call(t, squares, (*Squares).Sum, 10))
	// Output: 285 <nil>
}

// Gate lets in as many as there are places.
type Gate struct{ places proclet.Semaphore }

func (g *Gate) Open(t *proclet.Thread, places int) (int, error) {
	g.places.Release(t, places)
	return places, nil
}

func (g *Gate) Enter(t *proclet.Thread, patience time.Duration) (bool, error) {
	return g.places.AcquireFor(t, 1, patience), nil
}

func ExampleSemaphore() {
	t := proclet.Current()
	gate, err := proclet.New[Gate](t, proclet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(proclet.Call(t, gate, (*Gate).Open, 1))
	fmt.Println(proclet.Call(t, gate, (*Gate).Enter, time.Millisecond))
	fmt.Println(proclet.Call(t, gate, (*Gate).Enter, time.Millisecond))
	// Output:
	// 1 <nil>
	// true <nil>
	// false <nil>
}
