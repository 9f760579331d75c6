package proclet

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"nuos/proclet/internal/fiber"
)

// Relay has the last desk of a row serve.
func (d *desk) Relay(t *Thread, n int) (int, error) {
	if d.others.Len() == 0 {
		return d.Serve(t, n)
	}
	return Call(t, *d.others.At(0), (*desk).Relay, n)
}

// Spread has all other desks serve at once.
func (d *desk) Spread(t *Thread, n int) (int, error) {
	all, err := d.AskAll(t, n)
	return len(all), err
}

// deskRow makes desks on these machines, each of which knows the next one.
func deskRow(t *testing.T, th *Thread, rts []*Runtime, machines []int) (row []Ref[desk]) {
	for i, m := range machines {
		row = append(row, mustNew[desk](t, th, Options{On: rts[m].self, Capacity: 1 << 20}))
		if i > 0 {
			if _, err := Call(th, row[i-1], (*desk).Know, row[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return row
}

// wantEnded waits until calls of desks have ended, for this reason.
func wantEnded(t *testing.T, th *Thread, why error, desks ...Ref[desk]) {
	t.Helper()
	waitFor(t, "the methods to notice", func() bool {
		for _, ref := range desks {
			if s, err := Call(th, ref, (*desk).Ended, struct{}{}); err != nil || s != "1 "+why.Error() {
				return false
			}
		}
		return true
	})
	waitFor(t, "the calls to end", func() bool { return deskInside.Load() == 0 })
}

// Who cancels a call cancels what the method is waiting for, through all calls in between,
// wherever these are, and however often their threads have been divided.
func TestCancelAlongTheChain(t *testing.T) {
	for _, machines := range [][]int{{0, 0}, {0, 1}, {1, 1, 1}, {0, 1, 0}, {0, 0, 1, 1, 0}} {
		for moves := range 5 {
			if moves > 0 && !fiber.Movable {
				break
			}
			t.Run(fmt.Sprint(machines, " ", moves, " moves"), func(t *testing.T) {
				_, rts := newSegment(t, 3)
				th := rts[2].Current()
				row := deskRow(t, th, rts, machines)
				last := row[len(row)-1]
				f := Go(th, row[0], (*desk).Relay, 1)
				waitFor(t, "the call to begin", func() bool { return deskInside.Load() == 1 })
				for i := range moves {
					ref := row[(i+1)%len(row)]
					if from, to := ownerOf(t, nil, ref.id), rts[(i+1)%3]; from != to {
						move(t, from, to, ref.id)
					}
				}
				f.Cancel()
				if _, err := f.Wait(th); !errors.Is(err, ErrCancelled) {
					t.Errorf("Wait = %v", err)
				}
				wantEnded(t, th, ErrCancelled, last)
			})
		}
	}
}

// A method that waits for several calls passes it on to all.
func TestCancelMany(t *testing.T) {
	_, rts := newSegment(t, 3)
	th := rts[2].Current()
	boss := deskRow(t, th, rts, []int{0})[0]
	clerks := []Ref[desk]{}
	for i := range 3 {
		clerk := mustNew[desk](t, th, Options{On: rts[i].self, Capacity: 1 << 20})
		if _, err := Call(th, boss, (*desk).Know, clerk); err != nil {
			t.Fatal(err)
		}
		clerks = append(clerks, clerk)
	}
	f := Go(th, boss, (*desk).Spread, 1)
	waitFor(t, "the calls to begin", func() bool { return deskInside.Load() == 3 })
	f.Cancel()
	wantEnded(t, th, ErrCancelled, clerks...)
}

// Calls that race with being cancelled, or with being divided, learn it nevertheless.
func TestCancelRaces(t *testing.T) {
	_, rts := newSegment(t, 3)
	th := rts[2].Current()
	row := deskRow(t, th, rts, []int{0, 1, 1})
	for i := range 60 {
		f := Go(th, row[0], (*desk).Relay, 1)
		if i%3 == 0 && fiber.Movable {
			from := ownerOf(t, nil, row[1].id)
			move(t, from, rts[i/3%2], row[1].id)
		}
		f.Cancel()
		waitFor(t, "the call to end", func() bool {
			select {
			case <-f.Done():
				return true
			default:
				return false
			}
		})
	}
	waitFor(t, "the calls to end", func() bool { return deskInside.Load() == 0 })
}

// A deadline goes along the chain as well: the last method notices it by its own clock.
func TestDeadlineAlongTheChain(t *testing.T) {
	for _, machines := range [][]int{{0, 0}, {0, 1}, {0, 1, 0}} {
		t.Run(fmt.Sprint(machines), func(t *testing.T) {
			_, rts := newSegment(t, 3)
			th := rts[2].Current()
			row := deskRow(t, th, rts, machines)
			if _, err := CallWithin(th, time.Second/4, row[0], (*desk).Relay, 1); !errors.Is(err, ErrDeadline) {
				t.Errorf("Relay = %v", err)
			}
			wantEnded(t, th, ErrDeadline, row[len(row)-1])
		})
	}
}

// Begin has the next desk serve, and waits for neither that nor its own end.
func (d *desk) Begin(t *Thread, n int) (int, error) {
	if err := Post(t, *d.others.At(0), (*desk).Serve, n); err != nil {
		return 0, err
	}
	Go(t, *d.others.At(0), (*desk).Serve, n)
	return d.Serve(t, n)
}

// What a method has begun with Go or Post is not cancelled with it.
func TestCancelIndependent(t *testing.T) {
	_, rts := newSegment(t, 2)
	th := rts[1].Current()
	row := deskRow(t, th, rts, []int{0, 1})
	f := Go(th, row[0], (*desk).Begin, 1)
	waitFor(t, "the calls to begin", func() bool { return deskInside.Load() == 3 })
	f.Cancel()
	waitFor(t, "the method to notice", func() bool { return deskInside.Load() == 2 })
	if _, err := Call(th, row[1], (*desk).Open, struct{}{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the others to end", func() bool { return deskInside.Load() == 0 })
	if s, err := Call(th, row[1], (*desk).Ended, struct{}{}); s != "2 " || err != nil {
		t.Errorf("Ended = %q, %v; want two calls that were not cancelled", s, err)
	}
}
