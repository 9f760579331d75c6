package proclet

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// counter is a state type of the tests.
type counter struct {
	mu    Mutex
	total int64
	hits  Map[String, int64]
	last  String
}

func (c *counter) Add(t *Thread, n int64) (int64, error) {
	c.mu.Hold(t)
	c.total += n
	return c.total, nil
}

func (c *counter) Hit(t *Thread, key string) (int64, error) {
	c.mu.Hold(t)
	if err := c.last.Set(t, key); err != nil {
		return 0, err
	}
	v, err := c.hits.Entry(t, View(key))
	if err != nil {
		return 0, err
	}
	*v++
	return *v, nil
}

func (c *counter) Last(t *Thread, _ struct{}) (string, error) {
	c.mu.Hold(t)
	return c.last.String(), nil
}

func (c *counter) Fail(t *Thread, what string) (int, error) {
	switch what {
	case "sentinel":
		return 1, errTest
	case "wrapped":
		return 1, fmt.Errorf("looking for %s: %w", what, errTest)
	case "plain":
		return 1, errors.New("plain")
	case "nil":
		var p *int
		return *p, nil
	case "panic":
		panic("out of cheese")
	case "full":
		_, err := t.heap.Alloc(1 << 40)
		return 1, err
	}
	return 0, nil
}

var errTest = errors.New("proclet test: registered")

func init() { RegisterErrors(errTest) }

// box is a generic state type.
type box[T any] struct {
	v T
	n int
}

//go:noinline
func (b *box[T]) Swap(t *Thread, v T) (T, error) {
	old := b.v
	b.v = v
	b.n++
	return old, nil
}

//go:noinline
func (b *box[T]) Count(t *Thread, _ struct{}) (int, error) {
	return b.n*1000 + int(unsafe.Sizeof(b.v)), nil
}

// swapTwice calls from generic code, where method expressions are closures.
func swapTwice[T any](t *Thread, ref Ref[box[T]], v T) (T, error) {
	if _, err := Call(t, ref, (*box[T]).Swap, v); err != nil {
		return v, err
	}
	return Call(t, ref, (*box[T]).Swap, v)
}

func countOf[T any](t *Thread, ref Ref[box[T]]) (int, error) {
	return Call(t, ref, (*box[T]).Count, struct{}{})
}

func mustNew[S any](t testing.TB, th *Thread, o Options) Ref[S] {
	t.Helper()
	ref, err := New[S](th, o)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// everywhere runs a test with a proclet on the caller's machine and on another
// one.
func everywhere(t *testing.T, test func(t *testing.T, caller *Thread, o Options)) {
	for name, i := range map[string]int{"local": 0, "remote": 1} {
		t.Run(name, func(t *testing.T) {
			_, rts := newSegment(t, 2)
			test(t, rts[0].Current(), Options{On: rts[i].self})
		})
	}
}

func TestCall(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		ref := mustNew[counter](t, th, o)
		for i := int64(1); i <= 3; i++ {
			if got, err := Call(th, ref, (*counter).Add, i); err != nil || got != i*(i+1)/2 {
				t.Errorf("Add(%d) = %d, %v", i, got, err)
			}
		}
		for i := int64(1); i <= 3; i++ {
			key := fmt.Sprint("key", 7)
			if got, err := Call(th, ref, (*counter).Hit, key); err != nil || got != i {
				t.Errorf("Hit(%q) = %d, %v", key, got, err)
			}
		}
		got, err := Call(th, ref, (*counter).Last, struct{}{})
		if err != nil || got != "key7" {
			t.Errorf("Last() = %q, %v", got, err)
		}
		if _, err := Call(th, ref, (*counter).Hit, "another"); err != nil {
			t.Fatal(err)
		}
		if got != "key7" {
			t.Errorf("the result changed to %q with the state", got)
		}
	})
}

func TestGenericCalls(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		ints := mustNew[box[int64]](t, th, o)
		words := mustNew[box[[3]uint16]](t, th, o)
		if got, err := swapTwice(th, ints, 5); err != nil || got != 5 {
			t.Errorf("swapTwice(5) = %d, %v", got, err)
		}
		if got, err := swapTwice(th, words, [3]uint16{1, 2, 3}); err != nil || got != [3]uint16{1, 2, 3} {
			t.Errorf("swapTwice = %d, %v", got, err)
		}
		// The same from code that is not generic.
		if got, err := Call(th, ints, (*box[int64]).Swap, 9); err != nil || got != 5 {
			t.Errorf("Swap(9) = %d, %v", got, err)
		}
		for what, count := range map[string]func() (int, error){
			"3008": func() (int, error) { return countOf(th, ints) },
			"2006": func() (int, error) { return countOf(th, words) },
		} {
			if got, err := count(); err != nil || fmt.Sprint(got) != what {
				t.Errorf("countOf = %d, %v, want %s", got, err, what)
			}
		}
	})
}

func TestErrorsOfMethods(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		ref := mustNew[counter](t, th, o)
		fail := func(what string) error {
			got, err := Call(th, ref, (*counter).Fail, what)
			if err == nil || got != 0 {
				t.Errorf("Fail(%s) = %d, %v", what, got, err)
			}
			return err
		}
		if err := fail("sentinel"); err != errTest {
			t.Errorf("sentinel: %v", err)
		}
		if err := fail("wrapped"); !errors.Is(err, errTest) || err.Error() != "looking for wrapped: "+errTest.Error() {
			t.Errorf("wrapped: %v", err)
		}
		if err := fail("plain"); errors.Is(err, errTest) || err.Error() != "plain" {
			t.Errorf("plain: %v", err)
		}
		if err := fail("full"); !errors.Is(err, ErrHeapFull) {
			t.Errorf("full: %v", err)
		}
		for what, value := range map[string]string{"panic": "out of cheese", "nil": "nil pointer dereference"} {
			var p *PanicError
			if err := fail(what); !errors.As(err, &p) || !strings.Contains(p.Value, value) || !strings.Contains(p.Stack, "counter).Fail") {
				t.Errorf("%s: %v\n%+v", what, err, p)
			}
		}
		// The panics have left nothing locked or inside.
		if _, err := Call(th, ref, (*counter).Add, 1); err != nil {
			t.Error(err)
		}
		if err := Destroy(th, ref); err != nil {
			t.Error(err)
		}
		if _, err := Call(th, ref, (*counter).Add, 1); !errors.Is(err, ErrNoProclet) {
			t.Errorf("call of a destroyed proclet: %v", err)
		}
		if _, err := Call(th, Ref[counter]{}, (*counter).Add, 1); !errors.Is(err, ErrNoProclet) {
			t.Errorf("call of no proclet: %v", err)
		}
		if err := Destroy(th, ref); !errors.Is(err, ErrNoProclet) {
			t.Errorf("second Destroy: %v", err)
		}
	})
}

func genericValue[T any](th *Thread, ref Ref[box[T]], b *box[T]) error {
	var v T
	f := func(_ *box[T], t *Thread, v T) (T, error) { return b.Swap(t, v) }
	_, err := Call(th, ref, f, v)
	return err
}

type adder int64

func (a adder) Apply(c *counter, t *Thread, n int64) (int64, error) { return c.Add(t, n+int64(a)) }

type genericAdder[T any] struct{ v T }

func (a *genericAdder[T]) Apply(c *counter, t *Thread, n int64) (int64, error) { return c.Add(t, n) }

func genericMethodValue[T any](th *Thread, ref Ref[counter]) error {
	a := &genericAdder[T]{}
	_, err := Call(th, ref, a.Apply, 1)
	return err
}

func TestCapturesAreRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		ref := mustNew[counter](t, th, o)
		n := int64(runtime.NumCPU())
		for what, err := range map[string]error{
			"a closure": func() error {
				_, err := Call(th, ref, func(c *counter, t *Thread, m int64) (int64, error) { return c.Add(t, m+n) }, 1)
				return err
			}(),
			"a method value": func() error {
				_, err := Call(th, ref, adder(n).Apply, 1)
				return err
			}(),
			"a method value in generic code": genericMethodValue[string](th, ref),
			"a closure in generic code":      genericValue(th, mustNew[box[int]](t, th, o), &box[int]{}),
			"nil": func() error {
				_, err := Call[counter, int64, int64](th, ref, nil, 1)
				return err
			}(),
		} {
			if !errors.Is(err, ErrMethod) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if got, err := Call(th, ref, func(c *counter, t *Thread, m int64) (int64, error) { return c.Add(t, m*2) }, 4); err != nil || got != 8 {
			t.Errorf("a function that captures nothing: %d, %v", got, err)
		}
	})
}

// node calls others.
type chainNode struct {
	next Ref[chainNode]
	n    int
}

func (c *chainNode) Link(t *Thread, next Ref[chainNode]) (struct{}, error) {
	return struct{}{}, c.next.Set(t, next)
}

// Walk goes n proclets further and back, and says what it has seen.
func (c *chainNode) Walk(t *Thread, n int) (string, error) {
	c.n++
	me := fmt.Sprintf("%d;", len(t.path(nil))-1)
	if n == 0 {
		return me, nil
	}
	rest, err := Call(t, c.next, (*chainNode).Walk, n-1)
	return me + rest, err
}

func TestNestedCalls(t *testing.T) {
	_, rts := newSegment(t, 2)
	th := rts[0].Current()
	a := mustNew[chainNode](t, th, Options{On: rts[0].self})
	b := mustNew[chainNode](t, th, Options{On: rts[1].self})
	c := mustNew[chainNode](t, th, Options{On: rts[1].self})
	for _, l := range [][2]Ref[chainNode]{{a, b}, {b, c}, {c, a}} {
		if _, err := Call(th, l[0], (*chainNode).Link, l[1]); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Call(th, a, (*chainNode).Walk, 7)
	if want := "0;1;2;3;4;5;6;7;"; err != nil || got != want {
		t.Errorf("Walk = %q, %v, want %q", got, err, want)
	}
	// What the calls took of the heaps is given back; the answers of calls from
	// other machines are, when their callers say so.
	for _, rt := range rts {
		rt.release()
	}
	for _, rt := range rts {
		empty := emptyHeap[chainNode](t, rt)
		for _, r := range rt.all() {
			// If the slots were idle for long, somebody else releases them.
			waitFor(t, fmt.Sprintf("%v to be empty", r.id), func() bool { return r.heap.Stats().Used == empty })
		}
	}
}

// emptyHeap returns how much of its heap a new proclet uses.
func emptyHeap[S any](t testing.TB, rt *Runtime) uint64 {
	t.Helper()
	ref := mustNew[S](t, rt.Current(), Options{On: rt.self})
	defer Destroy(rt.Current(), ref)
	i, err := rt.Info(ref.ID())
	if err != nil {
		t.Fatal(err)
	}
	return i.Used
}

func TestGo(t *testing.T) {
	everywhere(t, func(t *testing.T, th *Thread, o Options) {
		ref := mustNew[counter](t, th, o)
		var futures []*Future[int64]
		for range 50 {
			futures = append(futures, Go(th, ref, (*counter).Add, 2))
		}
		seen := map[int64]bool{}
		for _, f := range futures {
			v, err := f.Wait(th)
			if err != nil || v%2 != 0 || seen[v] {
				t.Errorf("Wait = %d, %v", v, err)
			}
			seen[v] = true
			if again, _ := f.Wait(th); again != v {
				t.Errorf("second Wait = %d, want %d", again, v)
			}
		}
		if _, err := Go(th, ref, (*counter).Fail, "wrapped").Wait(th); !errors.Is(err, errTest) {
			t.Error(err)
		}
	})
}

func TestPlacementSpreads(t *testing.T) {
	s, rts := newSegment(t, 3)
	for range 12 {
		mustNew[counter](t, rts[1].Current(), Options{Capacity: 1})
	}
	for _, rt := range rts {
		if got := len(rt.Proclets()); got != 4 {
			t.Errorf("machine %d has %d proclets of 12", rt.self, got)
		}
	}
	s.machines[rts[2].self].draining = true
	for range 6 {
		mustNew[counter](t, rts[0].Current(), Options{})
	}
	if got := len(rts[2].Proclets()); got != 4 {
		t.Errorf("a draining machine was given %d proclets", got-4)
	}
}

func TestNames(t *testing.T) {
	_, rts := newSegment(t, 2)
	a, b := rts[0].Current(), rts[1].Current()
	if _, err := Lookup[counter](b, "hits"); !errors.Is(err, ErrNoName) {
		t.Errorf("Lookup before Bind: %v", err)
	}
	made := 0
	create := func(t *Thread) (Ref[counter], error) {
		made++
		return New[counter](t, Options{})
	}
	ref, err := Singleton(a, "hits", create)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Singleton(b, "hits", create); err != nil || got != ref || made != 1 {
		t.Errorf("second Singleton = %v, %v; made %d", got.ID(), err, made)
	}
	// A machine that loses the race gets the winner's.
	got, err := Singleton(b, "race", func(t *Thread) (Ref[counter], error) {
		if err := Bind(a, "race", ref); err != nil {
			return ref, err
		}
		return create(t)
	})
	if err != nil || got != ref || len(rts[0].Proclets())+len(rts[1].Proclets()) != 1 {
		t.Errorf("Singleton after a lost race = %v, %v", got.ID(), err)
	}
	if err := Bind(a, "race", ref); err != nil {
		t.Errorf("Bind again: %v", err)
	}
	if err := Bind(a, "race", mustNew[counter](t, a, Options{})); !errors.Is(err, ErrNameTaken) {
		t.Errorf("Bind of another: %v", err)
	}
	if _, err := Lookup[chainNode](a, "hits"); !errors.Is(err, ErrType) {
		t.Errorf("Lookup with another state type: %v", err)
	}
}

// ownerOf returns the runtime where a proclet lives.
func ownerOf(t testing.TB, th *Thread, id ID) *Runtime {
	t.Helper()
	for _, rt := range *runtimes.Load() {
		if rt.find(id) != nil {
			return rt
		}
	}
	t.Fatalf("%v lives nowhere", id)
	return nil
}
