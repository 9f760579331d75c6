package rack

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"nuos/drivers/nic/nictest"
)

// What is published late does not outlive what has been said of the proclet since,
// and a location that has been forgotten takes the earlier ones along.
func TestForgetAndLatePublication(t *testing.T) {
	const moved, ended, stays = 1, 2, 3
	inWorld(t, nictest.Options{}, nictest.Faults{}, func(t *testing.T, w *world) {
		c := w.config()
		c.Machines = 3
		all := w.bootAll(3, c)
		w.agree(all, 3)
		i, d := w.leader(all)
		a, b := without(all, i)[0], without(all, i)[1]
		atA, atB := Location{a.e0(), 0}, Location{b.e0(), 1}

		// The directory hears a only when it has heard all of b.
		held, release := make(chan struct{}, 1), make(chan struct{})
		d.Handle(ServiceDirectory, func(q Request) {
			var m directoryMessage
			if json.Unmarshal(q.Data, &m) == nil && m.Op == opPublish && q.From == a.e0() {
				select {
				case held <- struct{}{}:
				default:
				}
				<-release
			}
			d.serveDirectory(q)
		})
		knows := func(id uint64) (at Location, ok bool) {
			at, err := d.Relocate(t.Context(), id)
			if err != nil && !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
			return at, err == nil
		}
		for id := uint64(moved); id <= stays; id++ {
			a.Publish(id, atA)
		}
		<-held
		a.Learn(moved, atB)
		b.Publish(moved, atB)
		w.await("the new location", func() bool { at, _ := knows(moved); return at == atB })
		b.Forget(moved, atB)
		w.await("the end of what moved", func() bool { _, ok := knows(moved); return !ok })
		a.Forget(ended, atA)
		close(release)
		w.await("what stays", func() bool { at, _ := knows(stays); return at == atA })
		w.await("the others to be forgotten", func() bool {
			_, first := knows(moved)
			_, second := knows(ended)
			return !first && !second
		})
		time.Sleep(time.Minute)
		if at, ok := knows(stays); !ok || at != atA {
			t.Errorf("what stays is at %v, %v", at, ok)
		}

		// b tells of an end before it has told that the proclet had come.
		b.Forget(stays, Location{b.e0(), 7})
		w.await("the end of what stayed", func() bool { _, ok := knows(stays); return !ok })
	})
}

// Whoever asks the directory in vain knows all members afterwards.
func TestRelocateBringsMembers(t *testing.T) {
	inWorld(t, nictest.Options{}, nictest.Faults{}, func(t *testing.T, w *world) {
		c := w.config()
		c.Machines = 6
		all := w.bootAll(6, c)
		w.agree(all, 6)
		w.await("five copies", func() bool { _, d := w.leader(all); return len(d.Status().Replica.Voters) == 5 })
		m := all[slices.IndexFunc(all, func(m *machine) bool { return m.Status().Replica == nil })]
		m.Handle(ServiceView, func(q Request) {
			var v viewMessage
			if json.Unmarshal(q.Data, &v) == nil && v.Op == opView {
				q.Fail(errors.New("not now"))
				return
			}
			m.serveView(q)
		})
		if _, err := w.boot(nil, c); err != nil {
			t.Fatal(err)
		}
		if n := len(m.Members()); n != 6 {
			t.Fatalf("%d members are known to a machine that nobody has told", n)
		}
		if at, err := m.Relocate(t.Context(), 99); !errors.Is(err, ErrNotFound) {
			t.Errorf("Relocate = %v, %v", at, err)
		}
		if n := len(m.Members()); n != 7 {
			t.Errorf("%d members of 7 are known", n)
		}
	})
}
