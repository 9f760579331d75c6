package main

import (
	"errors"
	"fmt"

	"nuos/proclet"
)

// Bank has accounts, objects in its heap that others point to.
type Bank struct {
	mine proclet.RemoteUnique[Deposit]
	ours proclet.RemoteShared[Deposit]
}

// Deposit is an object in a Bank's heap.
type Deposit struct {
	mu    proclet.Mutex
	sum   int64
	owner proclet.String
}

// Add adds to a Deposit.
func (d *Deposit) Add(t *proclet.Thread, n int64) (int64, error) {
	d.mu.Lock(t)
	defer d.mu.Unlock(t)
	d.sum += n
	return d.sum, nil
}

// Rename gives a Deposit another owner, and returns the old one.
func (d *Deposit) Rename(t *proclet.Thread, to string) (string, error) {
	d.mu.Hold(t)
	old := d.owner.Clone() // Set frees what the String has
	return old, d.owner.Set(t, to)
}

// Raw makes an object that lives until it is freed.
func (b *Bank) Raw(t *proclet.Thread, sum int64) (proclet.RemotePtr[int64], error) {
	return proclet.NewRemote(t, sum)
}

// Open makes a Deposit with one owner: the caller.
func (b *Bank) Open(t *proclet.Thread, owner string) (proclet.RemoteUnique[Deposit], error) {
	return proclet.NewRemoteUnique(t, Deposit{owner: proclet.View(owner)})
}

// Share makes a Deposit that many can have.
func (b *Bank) Share(t *proclet.Thread, owner string) (proclet.RemoteShared[Deposit], error) {
	return proclet.NewRemoteShared(t, Deposit{owner: proclet.View(owner)})
}

// order is for a Deposit at another Bank.
type order struct {
	From  proclet.Ref[Bank]
	Owner string
}

// Orders opens a Deposit at another Bank, which it has as its own.
func (b *Bank) Orders(t *proclet.Thread, o order) (proclet.RemotePtr[Deposit], error) {
	d, err := proclet.Call(t, o.From, (*Bank).Open, o.Owner)
	if err != nil {
		return proclet.RemotePtr[Deposit]{}, err
	}
	return d.Ptr(), b.mine.Set(t, d)
}

// Joins makes the Bank one of those who have a Deposit.
func (b *Bank) Joins(t *proclet.Thread, d proclet.RemoteShared[Deposit]) (struct{}, error) {
	return struct{}{}, b.ours.Set(t, d)
}

// Leaves gives up what the Bank has.
func (b *Bank) Leaves(t *proclet.Thread, _ struct{}) (struct{}, error) {
	b.mine.Drop(t)
	b.ours.Drop(t)
	return struct{}{}, nil
}

// banks makes two of them, and returns what ends them.
func (s *suite) banks() (here, there proclet.Ref[Bank], end func(), err error) {
	here, err = proclet.New[Bank](s.t, proclet.Options{On: s.machines[0]})
	if err != nil {
		return here, there, nil, err
	}
	there, err = proclet.New[Bank](s.t, proclet.Options{On: s.machines[1]})
	end = func() {
		proclet.Release(s.t, here)
		proclet.Release(s.t, there)
	}
	return here, there, end, err
}

// checkRemRawPtr: objects in other proclets are read, written, called and freed.
func checkRemRawPtr(s *suite) (string, error) {
	here, there, end, err := s.banks()
	if err != nil {
		return "", err
	}
	defer end()
	n := s.times(200)
	for i := range int64(n) {
		bank := here
		if i%2 == 1 {
			bank = there
		}
		p, err := proclet.Call(s.t, bank, (*Bank).Raw, i)
		if err != nil {
			return "", err
		}
		v, err := p.Load(s.t)
		if err := errors.Join(err, want("value", v, i), p.Store(s.t, 2*i)); err != nil {
			return "", err
		}
		v, err = p.Load(s.t)
		if err := errors.Join(err, want("value", v, 2*i), p.Free(s.t)); err != nil {
			return "", err
		}
		if _, err := p.Load(s.t); !errors.Is(err, proclet.ErrNoObject) {
			return "", fmt.Errorf("what was freed can be read: %v", err)
		}
	}
	return fmt.Sprintf("%d objects", n), nil
}

// checkRemUniquePtr: an object with one owner ends with that, and can change hands.
func checkRemUniquePtr(s *suite) (string, error) {
	here, there, end, err := s.banks()
	if err != nil {
		return "", err
	}
	defer end()
	n := s.times(100)
	for i := range n {
		name := fmt.Sprintf("customer %d", i)
		var d proclet.RemoteUnique[Deposit]
		var p proclet.RemotePtr[Deposit]
		// The owner is this goroutine, or the other bank.
		if i%2 == 0 {
			d, err = proclet.Call(s.t, there, (*Bank).Open, name)
			p = d.Ptr()
		} else {
			p, err = proclet.Call(s.t, here, (*Bank).Orders, order{there, name})
		}
		if err != nil {
			return "", err
		}
		for k := range int64(3) {
			sum, err := proclet.CallAt(s.t, p, (*Deposit).Add, k+1)
			if err := errors.Join(err, want("sum", sum, (k+1)*(k+2)/2)); err != nil {
				return "", err
			}
		}
		was, err := proclet.CallAt(s.t, p, (*Deposit).Rename, "another one")
		if err := errors.Join(err, want("owner", was, name)); err != nil {
			return "", err
		}
		if err := p.Free(s.t); !errors.Is(err, proclet.ErrNotOwned) {
			return "", fmt.Errorf("what has an owner can be freed by others: %v", err)
		}
		if i%2 == 0 {
			err = proclet.Release(s.t, d)
		} else {
			_, err = proclet.Call(s.t, here, (*Bank).Leaves, struct{}{})
		}
		if err != nil {
			return "", err
		}
		if err := gone(s, p); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d objects", n), nil
}

// checkRemSharedPtr: an object with many owners ends with the last of them.
func checkRemSharedPtr(s *suite) (string, error) {
	here, there, end, err := s.banks()
	if err != nil {
		return "", err
	}
	defer end()
	n := s.times(100)
	for range n {
		d, err := proclet.Call(s.t, there, (*Bank).Share, "all")
		if err != nil {
			return "", err
		}
		p := d.Ptr()
		const more = 4
		err = together(more, func(int) error {
			c, err := d.Clone(s.t)
			if err != nil {
				return err
			}
			_, err = proclet.CallAt(s.t, c.Ptr(), (*Deposit).Add, 1)
			return errors.Join(err, proclet.Release(s.t, c))
		})
		if err != nil {
			return "", err
		}
		if _, err := proclet.Call(s.t, here, (*Bank).Joins, d); err != nil {
			return "", err
		}
		if err := proclet.Release(s.t, d); err != nil {
			return "", err
		}
		// Now only the other bank has it.
		sum, err := proclet.CallAt(s.t, p, (*Deposit).Add, 0)
		if err := errors.Join(err, want("sum", sum, more)); err != nil {
			return "", err
		}
		if _, err := proclet.Call(s.t, here, (*Bank).Leaves, struct{}{}); err != nil {
			return "", err
		}
		if err := gone(s, p); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d objects", n), nil
}

// gone waits until an object that nobody has any more has ended: it is given back
// without waiting.
func gone(s *suite, p proclet.RemotePtr[Deposit]) error {
	for {
		_, err := proclet.CallAt(s.t, p, (*Deposit).Add, 0)
		if errors.Is(err, proclet.ErrNoObject) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
