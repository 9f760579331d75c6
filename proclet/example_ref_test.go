package proclet_test

import (
	"fmt"
	"log"

	"nuos/proclet"
)

// Node is a node of a tree whose nodes are proclets.
type Node struct {
	name   proclet.String
	parent proclet.Weak[Node] // a Ref would keep the whole tree alive for ever
	left   proclet.Ref[Node]
	right  proclet.Ref[Node]
}

// Naming is the argument of Init.
type Naming struct {
	Name   string
	Parent proclet.Weak[Node]
}

// Init names a node.
func (n *Node) Init(t *proclet.Thread, a Naming) (struct{}, error) {
	n.parent = a.Parent
	return struct{}{}, n.name.Set(t, a.Name)
}

// Grow makes two children near their parent, which the state holds from then on.
func (n *Node) Grow(t *proclet.Thread, self proclet.Ref[Node]) (struct{}, error) {
	for i, place := range [...]*proclet.Ref[Node]{&n.left, &n.right} {
		child, err := proclet.New[Node](t, proclet.Options{Near: self, Capacity: 64 << 10})
		if err != nil {
			return struct{}{}, err // the child, if there is one already, is held
		}
		if _, err := proclet.Call(t, child, (*Node).Init, Naming{[...]string{"left", "right"}[i], self.Weak()}); err != nil {
			return struct{}{}, err // this one is not, and ends
		}
		if err := place.Set(t, child); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
}

// Left returns a child, which the caller then holds as well.
func (n *Node) Left(t *proclet.Thread, _ struct{}) (proclet.Ref[Node], error) {
	return n.left, nil
}

// Path returns the names from the root down to the node.
func (n *Node) Path(t *proclet.Thread, _ struct{}) (string, error) {
	if n.parent.IsZero() {
		return n.name.Clone(), nil
	}
	parent, err := n.parent.Upgrade(t)
	if err != nil {
		return "", err // ErrNoProclet: nobody holds the parent any more
	}
	above, err := proclet.Call(t, parent, (*Node).Path, struct{}{})
	return above + "/" + n.name.String(), err
}

// Close is called when nobody holds the node any more. Its children are given
// back afterwards.
func (n *Node) Close(t *proclet.Thread) { log.Print(n.name.String(), " has ended") }

// A tree of proclets, each of which holds its children.
func ExampleRef() {
	t := proclet.Current()
	root, err := proclet.New[Node](t, proclet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := proclet.Call(t, root, (*Node).Init, Naming{Name: "root"}); err != nil {
		log.Fatal(err)
	}
	if _, err := proclet.Call(t, root, (*Node).Grow, root); err != nil {
		log.Fatal(err)
	}
	left, err := proclet.Call(t, root, (*Node).Left, struct{}{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(proclet.Call(t, left, (*Node).Path, struct{}{})) // root/left

	// An ordinary goroutine holds what it got until it releases it. The right child
	// ends with its parent, the left one is still held here.
	proclet.Release(t, root)
	fmt.Println(proclet.Call(t, left, (*Node).Path, struct{}{})) // ErrNoProclet, once the parent has ended
	proclet.Release(t, left)
}

// Wallet is an object of a Safe.
type Wallet struct {
	mu      proclet.Mutex
	balance int64
}

// Deposit is called with [proclet.CallAt].
func (a *Wallet) Deposit(t *proclet.Thread, n int64) (int64, error) {
	a.mu.Lock(t)
	defer a.mu.Unlock(t)
	a.balance += n
	return a.balance, nil
}

// Safe is a proclet with many small objects.
type Safe struct{}

// Open opens a wallet, which the caller holds together with those to whom it
// gives it.
func (b *Safe) Open(t *proclet.Thread, _ struct{}) (proclet.RemoteShared[Wallet], error) {
	return proclet.NewRemoteShared(t, Wallet{})
}

// Many objects live in one proclet, and each has its own holders.
func ExampleCallAt() {
	t := proclet.Current()
	safe, err := proclet.New[Safe](t, proclet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	wallet, err := proclet.Call(t, safe, (*Safe).Open, struct{}{})
	if err != nil {
		log.Fatal(err)
	}
	proclet.Release(t, safe) // the wallet holds it
	fmt.Println(proclet.CallAt(t, wallet.Ptr(), (*Wallet).Deposit, 100))
	proclet.Release(t, wallet) // the last one: wallet and safe end
}
