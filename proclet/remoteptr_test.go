package proclet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"nuos/mm"
)

// account is an object inside a proclet.
type account struct {
	mu      Mutex
	owner   String
	balance int64
	friend  Ref[keeper]
}

func (a *account) Deposit(t *Thread, n int64) (int64, error) {
	a.mu.Hold(t)
	a.balance += n
	return a.balance, nil
}

func (a *account) Owner(t *Thread, _ struct{}) (string, error) { return a.owner.String(), nil }

func (a *account) Befriend(t *Thread, r Ref[keeper]) (struct{}, error) {
	return struct{}{}, a.friend.Set(t, r)
}

// bank makes accounts, and keeps some.
type bank struct {
	mu    Mutex
	vault int64
	pair  [2]account
	mine  RemoteUnique[account]
	ours  Slice[RemoteShared[account]]
	ptr   Ptr[account]
}

func (b *bank) Raw(t *Thread, owner string) (RemotePtr[account], error) {
	return NewRemote(t, account{owner: View(owner)})
}

func (b *bank) Unique(t *Thread, owner string) (RemoteUnique[account], error) {
	return NewRemoteUnique(t, account{owner: View(owner)})
}

func (b *bank) Shared(t *Thread, owner string) (RemoteShared[account], error) {
	return NewRemoteShared(t, account{owner: View(owner)})
}

func (b *bank) Vault(t *Thread, _ struct{}) (RemotePtr[int64], error) { return RemoteTo(t, &b.vault) }

func (b *bank) Second(t *Thread, _ struct{}) (RemotePtr[account], error) {
	return RemoteTo(t, &b.pair[1])
}

func (b *bank) Elsewhere(t *Thread, _ struct{}) (RemotePtr[int64], error) {
	n := new(int64)
	return RemoteTo(t, n)
}

func (b *bank) OfPtr(t *Thread, owner string) (RemoteShared[account], error) {
	if err := b.ptr.Set(t, account{owner: View(owner)}); err != nil {
		return RemoteShared[account]{}, err
	}
	return RemoteSharedOf(t, &b.ptr)
}

func (b *bank) Keep(t *Thread, u RemoteUnique[account]) (struct{}, error) {
	return struct{}{}, b.mine.Set(t, u)
}

func (b *bank) OpenMine(t *Thread, owner string) (struct{}, error) {
	u, err := NewRemoteUnique(t, account{owner: View(owner)})
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, b.mine.Set(t, u)
}

// TakeMine gives away what OpenMine has made: only its owner can do that.
func (b *bank) StealMine(t *Thread, _ struct{}) (RemoteUnique[account], error) { return b.mine, nil }

func (b *bank) DropMine(t *Thread, _ struct{}) (struct{}, error) {
	b.mine.Drop(t)
	return struct{}{}, nil
}

func (b *bank) Join(t *Thread, s RemoteShared[account]) (struct{}, error) {
	b.mu.Lock(t)
	defer b.mu.Unlock(t)
	return struct{}{}, b.ours.Append(t, s)
}

func (b *bank) Leave(t *Thread, _ struct{}) (struct{}, error) {
	b.mu.Lock(t)
	defer b.mu.Unlock(t)
	b.ours.Free(t)
	return struct{}{}, nil
}

func TestRemoteRaw(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		b := mustNew[bank](t, th, o)
		var all []RemotePtr[account]
		for i := range 100 {
			p, err := Call(th, b, (*bank).Raw, fmt.Sprint("owner", i))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
		}
		used := heapUsed(t, th, b.id)
		for i, p := range all {
			if got, err := CallAt(th, p, (*account).Owner, struct{}{}); err != nil || got != fmt.Sprint("owner", i) {
				t.Errorf("owner of %d is %q, %v", i, got, err)
			}
			if got, err := CallAt(th, p, (*account).Deposit, int64(i)); err != nil || got != int64(i) {
				t.Errorf("Deposit = %d, %v", got, err)
			}
		}
		for _, i := range rand.Perm(100)[:50] {
			if err := all[i].Free(th); err != nil {
				t.Fatal(err)
			}
			if err := all[i].Free(th); !errors.Is(err, ErrNoObject) {
				t.Errorf("second Free: %v", err)
			}
			again, err := Call(th, b, (*bank).Raw, "somebody else")
			if err != nil {
				t.Fatal(err)
			}
			if again.at.object.place != all[i].at.object.place {
				t.Errorf("place %d is not used again", all[i].at.object.place)
			}
			if got, err := CallAt(th, all[i], (*account).Owner, struct{}{}); !errors.Is(err, ErrNoObject) {
				t.Errorf("a stale pointer finds %q, %v", got, err)
			}
			all[i] = again
		}
		for _, p := range all {
			if err := p.Free(th); err != nil {
				t.Fatal(err)
			}
		}
		if now := heapUsed(t, th, b.id); now >= used {
			t.Errorf("%d bytes used with no object, %d with all", now, used)
		}
		// With the last object the table is gone, and pointers to them are as stale as before.
		tb := &ownerOf(t, th, b.id).find(b.id).head.objects
		if tb.cap != 0 || tb.live != 0 {
			t.Errorf("a table of %d objects with room for %d", tb.live, tb.cap)
		}
		again, err := Call(th, b, (*bank).Raw, "first of a new table")
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range all {
			if got, err := CallAt(th, p, (*account).Owner, struct{}{}); !errors.Is(err, ErrNoObject) {
				t.Errorf("stale pointer %d finds %q, %v", i, got, err)
			}
		}
		if got, err := CallAt(th, again, (*account).Owner, struct{}{}); err != nil || got != "first of a new table" {
			t.Errorf("Owner = %q, %v", got, err)
		}
		if err := Destroy(th, b); err != nil {
			t.Fatal(err)
		}
		if _, err := CallAt(th, all[0], (*account).Owner, struct{}{}); !errors.Is(err, ErrNoProclet) {
			t.Errorf("call into a proclet that has ended: %v", err)
		}
	})
}

// heapUsed returns how many bytes of a proclet's heap are used.
func heapUsed(t *testing.T, th *Thread, id ID) uint64 {
	t.Helper()
	for _, rt := range *runtimes.Load() {
		if i, err := rt.Info(id); err == nil {
			return i.Used
		}
	}
	t.Fatal("nowhere")
	return 0
}

func TestRemoteToState(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		b := mustNew[bank](t, th, o)
		p, err := Call(th, b, (*bank).Vault, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Store(th, 42); err != nil {
			t.Fatal(err)
		}
		if v, err := p.Load(th); err != nil || v != 42 {
			t.Errorf("Load = %d, %v", v, err)
		}
		if err := p.Free(th); !errors.Is(err, ErrNotOwned) {
			t.Errorf("Free of a part of the state: %v", err)
		}
		second, err := Call(th, b, (*bank).Second, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := CallAt(th, second, (*account).Deposit, 7); err != nil || v != 7 {
			t.Errorf("Deposit = %d, %v", v, err)
		}
		if _, err := Call(th, b, (*bank).Elsewhere, struct{}{}); !errors.Is(err, ErrNoObject) {
			t.Errorf("RemoteTo of what is not in the state: %v", err)
		}
		if _, err := (RemotePtr[int64]{}).Load(th); !errors.Is(err, ErrNoProclet) {
			t.Errorf("Load of nothing: %v", err)
		}
		// Strings are copied, and what was there is freed.
		name := RemotePtr[String]{handle{b.id, objectID{place: 1 + uint64(offsetOfOwner)}}}
		for i := range 1000 {
			if err := name.Store(th, View(fmt.Sprintf("%01000d", i))); err != nil {
				t.Fatal(err)
			}
		}
		if v, err := name.Load(th); err != nil || v.String() != fmt.Sprintf("%01000d", 999) {
			t.Errorf("Load = %q, %v", v.String(), err)
		}
	})
}

func TestRemoteShared(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		rts := []*Runtime{th.runtime(), (*runtimes.Load())[th.rt+1]}
		frames := mm.Frames()
		b := mustNew[bank](t, th, o)
		other := mustNew[bank](t, th, Options{On: th.runtime().self})
		s, err := Call(th, b, (*bank).Shared, "joint")
		if err != nil {
			t.Fatal(err)
		}
		wantHolders(t, rts, b.id, 2)
		friend := mustNew[keeper](t, th, Options{})
		if _, err := CallAt(th, s.Ptr(), (*account).Befriend, friend); err != nil {
			t.Fatal(err)
		}
		wantHolders(t, rts, friend.id, 2)
		if err := Release(th, b); err != nil {
			t.Fatal(err)
		}
		if err := s.Ptr().Free(th); !errors.Is(err, ErrNotOwned) {
			t.Errorf("Free of what is shared: %v", err)
		}
		wantHolders(t, rts, b.id, 1) // the object holds its proclet
		for range 3 {
			if _, err := Call(th, other, (*bank).Join, s); err != nil {
				t.Fatal(err)
			}
		}
		c, err := s.Clone(th)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range []RemoteShared[account]{c, s} {
			if err := Release(th, one); err != nil {
				t.Fatal(err)
			}
		}
		settle(t, rts)
		if v, err := CallAt(th, s.Ptr(), (*account).Deposit, 5); err != nil || v != 5 {
			t.Errorf("Deposit = %d, %v", v, err)
		}
		if _, err := Call(th, other, (*bank).Leave, struct{}{}); err != nil {
			t.Fatal(err)
		}
		wantHolders(t, rts, b.id, 0)
		wantHolders(t, rts, friend.id, 1)
		if v, err := CallAt(th, s.Ptr(), (*account).Deposit, 5); !errors.Is(err, ErrNoProclet) {
			t.Errorf("Deposit = %d, %v", v, err)
		}
		Release(th, friend)
		Release(th, other)
		waitFor(t, "all frames to be free", func() bool { return mm.Frames() == frames })
	})
}

func TestRemoteUnique(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		rts := []*Runtime{th.runtime(), (*runtimes.Load())[th.rt+1]}
		b := mustNew[bank](t, th, o)
		u, err := Call(th, b, (*bank).Unique, "mine")
		if err != nil {
			t.Fatal(err)
		}
		if v, err := CallAt(th, u.Ptr(), (*account).Owner, struct{}{}); err != nil || v != "mine" {
			t.Errorf("Owner = %q, %v", v, err)
		}
		if _, err := Call(th, b, (*bank).Keep, u); !errors.Is(err, ErrNotOwned) {
			t.Errorf("keeping what was lent: %v", err)
		}
		if _, err := Call(th, b, (*bank).OpenMine, "the bank's"); err != nil {
			t.Fatal(err)
		}
		wantHolders(t, rts, b.id, 3)
		if _, err := Call(th, b, (*bank).StealMine, struct{}{}); !errors.Is(err, ErrNotOwned) {
			t.Errorf("returning what the state owns: %v", err)
		}
		if _, err := Call(th, b, (*bank).DropMine, struct{}{}); err != nil {
			t.Fatal(err)
		}
		wantHolders(t, rts, b.id, 2)
		Release(th, u)
		wantHolders(t, rts, b.id, 1)
		if _, err := CallAt(th, u.Ptr(), (*account).Owner, struct{}{}); !errors.Is(err, ErrNoObject) {
			t.Errorf("a stale pointer: %v", err)
		}
		s, err := Call(th, b, (*bank).OfPtr, "from the heap")
		if err != nil {
			t.Fatal(err)
		}
		if v, err := CallAt(th, s.Ptr(), (*account).Owner, struct{}{}); err != nil || v != "from the heap" {
			t.Errorf("Owner = %q, %v", v, err)
		}
		Release(th, b)
		Release(th, s)
		wantHolders(t, rts, b.id, 0)
	})
}

// Remote pointers are used from everywhere while their proclet moves.
func TestRemoteWhileMoving(t *testing.T) {
	_, rts := newSegment(t, 3)
	b := mustNew[bank](t, rts[0].Current(), Options{Capacity: 256 << 10, On: rts[0].self})
	s, err := Call(rts[0].Current(), b, (*bank).Shared, "busy")
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var deposits atomic.Int64
	for i := range 6 {
		wg.Go(func() {
			th := rts[i%3].Current()
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := s.Clone(th)
				if err == nil {
					_, err = CallAt(th, c.Ptr(), (*account).Deposit, 1)
				}
				if err == nil {
					deposits.Add(1)
					err = Release(th, c)
				}
				var p RemotePtr[account]
				if err == nil {
					p, err = Call(th, b, (*bank).Raw, "short-lived")
				}
				if err == nil {
					err = p.Free(th)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 40 {
		more := deposits.Load() + 5
		waitFor(t, "deposits", func() bool { return deposits.Load() >= more || t.Failed() })
		move(t, rts[i%3], rts[(i+1)%3], b.id)
	}
	close(stop)
	wg.Wait()
	want := deposits.Load()
	if got, err := CallAt(rts[0].Current(), s.Ptr(), (*account).Deposit, 0); err != nil || got != want {
		t.Errorf("%d deposits arrived of %d, %v", got, want, err)
	}
	wantHolders(t, rts, b.id, 2)
}

var offsetOfOwner = func() uintptr {
	b := new(bank)
	return uintptr(unsafe.Pointer(&b.pair[0].owner)) - uintptr(unsafe.Pointer(b))
}()
