package main

import (
	"errors"
	"fmt"
	"time"

	"nuos/proclet"
)

// Keeper keeps references to Counters for others.
type Keeper struct {
	mu   proclet.Mutex
	kept proclet.Slice[proclet.Ref[Counter]]
}

// Keep keeps ref.
func (k *Keeper) Keep(t *proclet.Thread, ref proclet.Ref[Counter]) (int, error) {
	k.mu.Lock(t)
	defer k.mu.Unlock(t)
	if err := k.kept.Append(t, ref); err != nil {
		return 0, err
	}
	return k.kept.Len(), nil
}

// Last returns what was kept last.
func (k *Keeper) Last(t *proclet.Thread, _ struct{}) (proclet.Ref[Counter], error) {
	k.mu.Hold(t)
	if k.kept.Len() == 0 {
		return proclet.Ref[Counter]{}, errNothing
	}
	return (*k.kept.At(k.kept.Len() - 1)).Clone(t)
}

// Forget keeps nothing any more.
func (k *Keeper) Forget(t *proclet.Thread, _ struct{}) (struct{}, error) {
	k.mu.Lock(t)
	defer k.mu.Unlock(t)
	k.kept.Free(t)
	return struct{}{}, nil
}

// PassOn gives what was kept last to another Keeper.
func (k *Keeper) PassOn(t *proclet.Thread, to proclet.Ref[Keeper]) (int, error) {
	last, err := k.Last(t, struct{}{})
	if err != nil {
		return 0, err
	}
	return proclet.Call(t, to, (*Keeper).Keep, last)
}

var errNothing = errors.New("nothing is kept")

func init() { proclet.RegisterErrors(errNothing) }

// checkPassProclet: a reference goes from machine to machine, as argument, result
// and state; what it refers to lives as long as anybody has it.
func checkPassProclet(s *suite) (string, error) {
	var keepers []proclet.Ref[Keeper]
	for _, m := range s.machines {
		k, err := proclet.New[Keeper](s.t, proclet.Options{On: m})
		if err != nil {
			return "", err
		}
		defer proclet.Release(s.t, k)
		keepers = append(keepers, k)
	}
	n := s.times(100)
	for i := range n {
		ref, err := proclet.New[Counter](s.t, proclet.Options{On: s.machine(i)})
		if err != nil {
			return "", err
		}
		weak := ref.Weak()
		first, second := keepers[i%len(keepers)], keepers[(i+1+i%2)%len(keepers)]
		if _, err := proclet.Call(s.t, first, (*Keeper).Keep, ref); err != nil {
			return "", err
		}
		if err := proclet.Release(s.t, ref); err != nil {
			return "", err
		}
		// Now only the first Keeper has it; then the second one, too; then that
		// alone.
		if _, err := proclet.Call(s.t, first, (*Keeper).PassOn, second); err != nil {
			return "", err
		}
		if first != second {
			if _, err := proclet.Call(s.t, first, (*Keeper).Forget, struct{}{}); err != nil {
				return "", err
			}
		}
		back, err := proclet.Call(s.t, second, (*Keeper).Last, struct{}{})
		if err != nil {
			return "", err
		}
		sum, err := proclet.Call(s.t, back, (*Counter).Add, int64(i))
		if err := errors.Join(err, want("sum", sum, int64(i)), want("reference", back, ref), proclet.Release(s.t, back)); err != nil {
			return "", err
		}
		if _, err := proclet.Call(s.t, second, (*Keeper).Forget, struct{}{}); err != nil {
			return "", err
		}
		if err := ended(s, weak); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d references passed on", n), nil
}

// ended waits until a proclet that nobody holds any more has ended: it is given
// back without waiting.
func ended[S any](s *suite, weak proclet.Weak[S]) error {
	for start := time.Now(); time.Since(start) < bound/4; {
		again, err := weak.Upgrade(s.t)
		if errors.Is(err, proclet.ErrNoProclet) {
			return nil
		}
		if err := errors.Join(err, proclet.Release(s.t, again)); err != nil {
			return err
		}
	}
	return fmt.Errorf("%v is held by nobody, and has not ended", weak.ID())
}

// Node is a node of a tree of proclets.
type Node struct {
	parent   proclet.Weak[Node] // a Ref would keep the tree alive for ever
	children proclet.Slice[proclet.Ref[Node]]
}

// growth is what Grow is told.
type growth struct {
	Self   proclet.Weak[Node]
	Parent proclet.Weak[Node]
	Depth  int
}

// Grow makes two children, and they theirs. It returns how many there are.
func (n *Node) Grow(t *proclet.Thread, g growth) (int, error) {
	n.parent = g.Parent
	size := 1
	if g.Depth == 0 {
		return size, nil
	}
	for range 2 {
		child, err := proclet.New[Node](t, proclet.Options{Capacity: 1 << 20})
		if err != nil {
			return 0, err
		}
		below, err := proclet.Call(t, child, (*Node).Grow, growth{child.Weak(), g.Self, g.Depth - 1})
		if err != nil {
			return 0, err
		}
		size += below
		if err := n.children.Append(t, child); err != nil {
			return 0, err
		}
	}
	return size, nil
}

// Sum asks all nodes below for their depth, and each leaf asks its way back up.
func (n *Node) Sum(t *proclet.Thread, depth int) (int, error) {
	if n.children.Len() == 0 {
		up, err := n.Up(t, 0)
		return up - depth, err // 0 if the way up is as long as the way down
	}
	sum := 1
	for _, c := range n.children.All() {
		below, err := proclet.Call(t, *c, (*Node).Sum, depth+1)
		if err != nil {
			return 0, err
		}
		sum += below
	}
	return sum, nil
}

// Up returns how far the root is: a call back into those that the chain of calls is
// inside of.
func (n *Node) Up(t *proclet.Thread, far int) (int, error) {
	if n.parent.IsZero() {
		return far, nil
	}
	parent, err := n.parent.Upgrade(t)
	if err != nil {
		return 0, err
	}
	return proclet.Call(t, parent, (*Node).Up, far+1)
}

// checkNestedProclet: proclets make proclets and call them, and are called back.
func checkNestedProclet(s *suite) (string, error) {
	const depth = 4
	root, err := proclet.New[Node](s.t, proclet.Options{Capacity: 1 << 20})
	if err != nil {
		return "", err
	}
	size, err := proclet.Call(s.t, root, (*Node).Grow, growth{Self: root.Weak(), Depth: depth})
	if err := errors.Join(err, want("nodes", size, 1<<(depth+1)-1)); err != nil {
		return "", err
	}
	rounds := s.times(20)
	err = together(4, func(int) error {
		for range rounds {
			inner, err := proclet.Call(s.t, root, (*Node).Sum, 0)
			if err := errors.Join(err, want("inner nodes", inner, 1<<depth-1)); err != nil {
				return err
			}
		}
		return nil
	})
	// The last reference to the root ends all of them.
	return fmt.Sprintf("%d proclets in a tree, walked %d times", size, 4*rounds), errors.Join(err, proclet.Release(s.t, root))
}

// checkMaxNumProclets: many proclets at once.
func checkMaxNumProclets(s *suite) (string, error) {
	n := s.times(5000)
	refs := make([]proclet.Ref[Counter], n)
	const workers = 8
	err := together(workers, func(w int) error {
		for i := w; i < n; i += workers {
			ref, err := proclet.New[Counter](s.t, proclet.Options{Capacity: 1 << 16})
			if err != nil {
				return fmt.Errorf("proclet %d: %w", i, err)
			}
			refs[i] = ref
		}
		for i := w; i < n; i += workers {
			got, err := proclet.Call(s.t, refs[i], (*Counter).Add, int64(i))
			if err := errors.Join(err, want("sum", got, int64(i))); err != nil {
				return err
			}
		}
		for i := w; i < n; i += workers {
			if err := proclet.Release(s.t, refs[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return fmt.Sprintf("%d proclets", n), err
}
