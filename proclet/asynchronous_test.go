package proclet

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"nuos/proclet/internal/fiber"
)

// desk is a proclet whose calls take as long as the test wants.
type desk struct {
	mu     Mutex
	open   bool
	ended  int
	why    String // why the last call ended early
	others Slice[Ref[desk]]
}

// deskInside counts calls inside desks.
var deskInside atomic.Int64

// Serve returns twice n when the desk is open, or what Err says before.
func (d *desk) Serve(t *Thread, n int) (int, error) {
	deskInside.Add(1)
	defer deskInside.Add(-1)
	for {
		d.mu.Lock(t)
		open, err := d.open, t.Err()
		if open || err != nil {
			d.ended++
			if err != nil {
				d.why.Set(t, err.Error())
			}
			d.mu.Unlock(t)
			return 2 * n, err
		}
		d.mu.Unlock(t)
		t.Sleep(100 * time.Microsecond)
	}
}

func (d *desk) Open(t *Thread, _ struct{}) (int, error) {
	d.mu.Lock(t)
	defer d.mu.Unlock(t)
	d.open = true
	return d.ended, nil
}

func (d *desk) Know(t *Thread, other Ref[desk]) (struct{}, error) {
	return struct{}{}, d.others.Append(t, other)
}

// Count counts n more.
func (d *desk) Count(t *Thread, n int) (int, error) {
	d.mu.Lock(t)
	defer d.mu.Unlock(t)
	d.ended += n
	return d.ended, nil
}

// Ended returns how many calls of Serve have ended, and why the last one did early.
func (d *desk) Ended(t *Thread, _ struct{}) (string, error) {
	d.mu.Hold(t)
	return fmt.Sprint(d.ended, " ", d.why.String()), nil
}

// Left returns how much time a call of the other desk has.
func (d *desk) Left(t *Thread, hops int) (time.Duration, error) {
	if hops > 0 {
		return Call(t, *d.others.At(0), (*desk).Left, hops-1)
	}
	until, ok := t.Deadline()
	if !ok {
		return 0, nil
	}
	return until.Sub(t.Now()), nil
}

// Ask asks the other desk with a deadline.
func (d *desk) Ask(t *Thread, within time.Duration) (int, error) {
	_, err := CallWithin(t, within, *d.others.At(0), (*desk).Serve, 1)
	if !errors.Is(err, ErrDeadline) {
		return 0, fmt.Errorf("CallWithin = %v", err)
	}
	if t.Err() != nil {
		return 0, errors.New("the deadline is that of the method that has made the call")
	}
	return Call(t, *d.others.At(0), (*desk).Open, struct{}{})
}

// AskAll asks all other desks at once.
func (d *desk) AskAll(t *Thread, n int) ([]int, error) {
	var refs [8]Ref[desk]
	k := 0
	for _, r := range d.others.All() {
		refs[k] = *r
		k++
	}
	return CallMany(t, refs[:k], (*desk).Serve, n)
}

func TestCallDeadlines(t *testing.T) {
	_, rts := newSegment(t, 2)
	for caller, rt := range rts {
		t.Run(fmt.Sprint("machine ", caller), func(t *testing.T) {
			th := rt.Current()
			here, there := mustNew[desk](t, th, Options{On: rts[0].self}), mustNew[desk](t, th, Options{On: rts[1].self})
			for ref, other := range map[Ref[desk]]Ref[desk]{here: there, there: here} {
				if _, err := Call(th, ref, (*desk).Know, other); err != nil {
					t.Fatal(err)
				}
			}
			for _, ref := range []Ref[desk]{here, there} {
				if _, err := CallWithin(th, -1, ref, (*desk).Serve, 1); !errors.Is(err, ErrDeadline) || errors.Is(err, ErrMaybeExecuted) {
					t.Errorf("a call that is late before it begins = %v", err)
				}
				_, err := CallWithin(th, 5*time.Millisecond, ref, (*desk).Serve, 1)
				if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrDeadline) {
					t.Errorf("a call of a desk that is closed = %v", err)
				}
				waitFor(t, "the method to notice", func() bool {
					s, err := Call(th, ref, (*desk).Ended, struct{}{})
					return err != nil || s == "1 "+ErrDeadline.Error()
				})
				for hops := range 3 {
					left, err := CallWithin(th, time.Hour, ref, (*desk).Left, hops)
					if err != nil || left <= 59*time.Minute || left > time.Hour {
						t.Errorf("%d hops away %v are left of an hour, %v", hops, left, err)
					}
				}
				if left, err := Call(th, ref, (*desk).Left, 1); left != 0 || err != nil {
					t.Errorf("a call without a deadline has %v left, %v", left, err)
				}
			}
			// A method sets one, and goes on.
			for i, ref := range []Ref[desk]{here, there} {
				if n, err := Call(th, ref, (*desk).Ask, 5*time.Millisecond); n < 1-i || err != nil {
					t.Errorf("Ask = %d, %v", n, err)
				}
			}
			if n, err := CallWithin(th, time.Hour, there, (*desk).Serve, 21); n != 42 || err != nil {
				t.Errorf("a call in time = %d, %v", n, err)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	_, rts := newSegment(t, 2)
	th := rts[0].Current()
	for i, rt := range rts {
		ref := mustNew[desk](t, th, Options{On: rt.self})
		f := Go(th, ref, (*desk).Serve, 1)
		waitFor(t, "the call to begin", func() bool { return deskInside.Load() > 0 })
		if i == 1 && fiber.Movable { // the proclet may be anywhere by then
			move(t, rts[1], rts[0], ref.ID())
		}
		f.Cancel()
		if _, err := f.Wait(th); !errors.Is(err, ErrCancelled) || !errors.Is(err, context.Canceled) || !errors.Is(err, ErrMaybeExecuted) {
			t.Errorf("Wait for a cancelled call = %v", err)
		}
		waitFor(t, "the method to notice", func() bool {
			s, err := Call(th, ref, (*desk).Ended, struct{}{})
			return err != nil || s == "1 "+ErrCancelled.Error()
		})
		waitFor(t, "the call to end", func() bool { return deskInside.Load() == 0 })
		if _, err := Call(th, ref, (*desk).Open, struct{}{}); err != nil {
			t.Fatal(err)
		}
		g := Go(th, ref, (*desk).Serve, 4)
		if n, err := g.Wait(th); n != 8 || err != nil {
			t.Errorf("a call after a cancelled one = %d, %v", n, err)
		}
		g.Cancel() // has no effect
		if n, err := g.Wait(th); n != 8 || err != nil {
			t.Errorf("after Cancel of a call that has ended: %d, %v", n, err)
		}
	}
}

func TestCallMany(t *testing.T) {
	_, rts := newSegment(t, 3)
	th := rts[0].Current()
	var refs []Ref[desk]
	for i := range 6 {
		ref := mustNew[desk](t, th, Options{On: rts[i%3].self})
		if _, err := Call(th, ref, (*desk).Open, struct{}{}); err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	got, err := CallMany(th, refs, (*desk).Serve, 1, 2, 3, 4, 5, 6)
	if err != nil || fmt.Sprint(got) != "[2 4 6 8 10 12]" {
		t.Errorf("CallMany = %v, %v", got, err)
	}
	if _, err := CallMany(th, refs, (*desk).Serve, 1, 2); !errors.Is(err, errArguments) {
		t.Errorf("CallMany with two arguments for six = %v", err)
	}
	if got, err := CallMany(th, nil, (*desk).Serve, 1); len(got) != 0 || err != nil {
		t.Errorf("CallMany of nobody = %v, %v", got, err)
	}
	broken := append([]Ref[desk]{{}}, refs[0], Ref[desk]{})
	got, err = CallMany(th, broken, (*desk).Serve, 7)
	var many *ManyError
	if !errors.As(err, &many) || !errors.Is(err, ErrNoProclet) || len(many.Errs) != 3 || many.Errs[1] != nil || fmt.Sprint(got) != "[0 14 0]" {
		t.Errorf("CallMany = %v, %v", got, err)
	}
	// From a method, which moves meanwhile.
	boss := mustNew[desk](t, th, Options{On: rts[0].self})
	slow := mustNew[desk](t, th, Options{On: rts[2].self})
	for _, ref := range append(refs, slow) {
		if _, err := Call(th, boss, (*desk).Know, ref); err != nil {
			t.Fatal(err)
		}
	}
	f := Go(th, boss, (*desk).AskAll, 5)
	waitFor(t, "the slow desk to be asked", func() bool { return deskInside.Load() > 0 })
	if fiber.Movable {
		move(t, rts[0], rts[1], boss.ID())
	}
	if _, err := Call(th, slow, (*desk).Open, struct{}{}); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Wait(th); err != nil || fmt.Sprint(got) != "[10 10 10 10 10 10 10]" {
		t.Errorf("CallMany by a method = %v, %v", got, err)
	}
}

func TestPost(t *testing.T) {
	_, rts := newSegment(t, 2)
	for i := range 2 {
		ref := mustNew[desk](t, rts[0].Current(), Options{On: rts[i].self})
		for range 500 {
			if err := Post(rts[0].Current(), ref, (*desk).Count, 1); err != nil {
				t.Fatal(err)
			}
		}
		waitFor(t, "the posts to be executed", func() bool {
			n, err := Call(rts[0].Current(), ref, (*desk).Count, 0)
			if n > 500 {
				t.Fatalf("%d posts were executed of 500", n)
			}
			return err != nil || n == 500
		})
	}
	if err := Post(rts[0].Current(), Ref[desk]{}, (*desk).Count, 1); !errors.Is(err, ErrNoProclet) {
		t.Errorf("Post to nobody = %v", err)
	}
}

// A caller that floods is slowed down: no more calls are on their way than there
// are credits.
func TestBackPressure(t *testing.T) {
	_, rts := newSegment(t, 2)
	rts[0].credits = make(credits, 10)
	th := rts[0].Current()
	ref := mustNew[desk](t, th, Options{On: rts[1].self})
	var made atomic.Int64
	futures := make(chan *Future[int], 100)
	go func() {
		for i := range 100 {
			futures <- Go(th, ref, (*desk).Serve, i)
			made.Add(1)
		}
		close(futures)
	}()
	waitFor(t, "as many calls as there are credits", func() bool { return deskInside.Load() == 10 && made.Load() == 10 })
	for range 20 {
		if n := made.Load(); n != 10 {
			t.Fatalf("%d calls were made with 10 credits", n)
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := Call(th, ref, (*desk).Open, struct{}{}); err != nil {
		t.Fatal(err)
	}
	i := 0
	for f := range futures {
		if n, err := f.Wait(th); n != 2*i || err != nil {
			t.Errorf("call %d = %d, %v", i, n, err)
		}
		i++
	}
	if i != 100 {
		t.Errorf("%d calls", i)
	}
	waitFor(t, "the credits to come back", func() bool { return len(rts[0].credits) == 0 })
}
