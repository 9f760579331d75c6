package proclet_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"nuos/proclet"
)

// Primes are computed when somebody first asks for them.
type Primes struct {
	computed proclet.Once
	primes   proclet.Slice[int32]
}

func (p *Primes) Nth(t *proclet.Thread, n int) (int32, error) {
	p.computed.Do(t, func() {
		for i := int32(2); p.primes.Len() < 100; i++ {
			divisor := int32(2)
			for divisor < i && i%divisor != 0 {
				divisor++
			}
			if divisor == i && p.primes.Append(t, i) != nil {
				return
			}
		}
	})
	return *p.primes.At(n), nil
}

func ExampleOnce() {
	t := proclet.Current()
	primes, err := proclet.New[Primes](t, proclet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(proclet.Call(t, primes, (*Primes).Nth, 4))
	// Output: 11 <nil>
}

// Election has one winner, for whom many may wait.
type Election struct {
	winner proclet.Promise[proclet.String]
}

func (e *Election) Stand(t *proclet.Thread, name string) (bool, error) {
	err := e.winner.Set(t, proclet.View(name))
	if errors.Is(err, proclet.ErrKept) {
		return false, nil
	}
	return err == nil, err
}

func (e *Election) Winner(t *proclet.Thread, _ struct{}) (string, error) {
	name, err := e.winner.Wait(t)
	return name.String(), err // the value of a Promise does not change any more
}

func ExamplePromise() {
	t := proclet.Current()
	election, err := proclet.New[Election](t, proclet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	winner := proclet.Go(t, election, (*Election).Winner, struct{}{})
	fmt.Println(proclet.Call(t, election, (*Election).Stand, "Ada"))
	fmt.Println(proclet.Call(t, election, (*Election).Stand, "Grace"))
	fmt.Println(winner.Wait(t))
	// Output:
	// true <nil>
	// false <nil>
	// Ada <nil>
}

// Session ends when nobody has used it for a while.
type Session struct{ idle proclet.Timer }

func (s *Session) Begin(t *proclet.Thread, idle time.Duration) (bool, error) {
	return s.idle.Reset(t, idle), nil
}

func (s *Session) Use(t *proclet.Thread, idle time.Duration) (inTime bool, err error) {
	return s.idle.Reset(t, idle), nil
}

func (s *Session) Logout(t *proclet.Thread, _ struct{}) (inTime bool, err error) {
	return s.idle.Stop(t), nil
}

func (s *Session) AwaitEnd(t *proclet.Thread, _ struct{}) (string, error) {
	if s.idle.Wait(t) {
		return "expired", nil
	}
	return "logged out", nil
}

func ExampleTimer() {
	t := proclet.Current()
	session, err := proclet.New[Session](t, proclet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(proclet.Call(t, session, (*Session).Begin, time.Hour))
	fmt.Println(proclet.Call(t, session, (*Session).Use, time.Millisecond))
	fmt.Println(proclet.Call(t, session, (*Session).AwaitEnd, struct{}{}))
	fmt.Println(proclet.Call(t, session, (*Session).Logout, struct{}{}))
	// Output:
	// false <nil>
	// true <nil>
	// expired <nil>
	// false <nil>
}

// Pulse counts heartbeats, wherever it is.
type Pulse struct{ beat proclet.Ticker }

func (p *Pulse) Count(t *proclet.Thread, beats int) (counted int, err error) {
	p.beat.Reset(t, time.Millisecond)
	defer p.beat.Stop(t)
	for counted < beats && p.beat.Wait(t) {
		counted++
	}
	return counted, nil
}

func ExampleTicker() {
	t := proclet.Current()
	pulse, err := proclet.New[Pulse](t, proclet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(proclet.Call(t, pulse, (*Pulse).Count, 3))
	// Output: 3 <nil>
}

// Kettle takes its time. The thread that sleeps moves with it.
type Kettle struct{}

func (k *Kettle) Boil(t *proclet.Thread, takes time.Duration) (bool, error) {
	before := t.Now()
	t.Sleep(takes)
	return t.Now().Sub(before) >= takes, nil
}

func ExampleThread_Sleep() {
	t := proclet.Current()
	kettle, err := proclet.New[Kettle](t, proclet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(proclet.Call(t, kettle, (*Kettle).Boil, 3*time.Millisecond))
	// Output: true <nil>
}
