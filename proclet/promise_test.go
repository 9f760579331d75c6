package proclet

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// A Promise keeps values and errors, and frees what it owns.
func TestPromise(t *testing.T) {
	g := newGround(t)
	g.play(func(th *Thread, s *playground) {
		if s.promise.Kept() {
			t.Error("an empty Promise is kept")
		}
		value := strings.Repeat("value", 100)
		if err := s.promise.Set(th, View(value)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, err := s.promise.Wait(th); err != nil || got.String() != value {
				t.Errorf("Wait = %v, %v", got, err)
			}
		}
		if err := s.promise.Set(th, View("other")); err != ErrKept {
			t.Errorf("second Set: %v", err)
		}
		if err := s.promise.Fail(th, errTest); err != ErrKept {
			t.Errorf("Fail after Set: %v", err)
		}
		if got, _ := s.promise.Wait(th); got.String() != value {
			t.Errorf("Wait after the second Set = %v", got)
		}
		if err := s.promised.Fail(th, fmt.Errorf("no luck: %w", errTest)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.promised.Wait(th); got != 0 || !errors.Is(err, errTest) || err.Error() != "no luck: "+errTest.Error() {
			t.Errorf("Wait after Fail = %d, %v", got, err)
		}
		if err := s.promised.Set(th, 1); err != ErrKept {
			t.Errorf("Set after Fail: %v", err)
		}
		if err := s.log.Append(th, 0); err != nil {
			t.Fatal(err)
		}
		if full := s.promise.Set(th, View(strings.Repeat("x", groundCapacity))); !errors.Is(full, ErrHeapFull) {
			t.Errorf("Set of more than the heap holds: %v", full)
		}
		Free(th, &s.promise)
		Free(th, &s.promised)
	})
}

// errands is a state with primitives in containers.
type errands struct {
	byName  Map[String, errand]
	answers Slice[Promise[String]]
	locks   [3]Mutex
}

type errand struct {
	mu     Mutex
	done   Promise[errandResult]
	waits  Cond
	checks Timer
}

type errandResult struct {
	text  String
	count int64
}

func TestPrimitivesInContainers(t *testing.T) {
	inHeapOf(t, 1<<20, func(th *Thread, _ *playground) {
		// The state, which must be all zero in the end, is not comparable.
		p, err := th.heap.Alloc(uint64(reflect.TypeFor[errands]().Size()))
		if err != nil {
			t.Fatal(err)
		}
		s := (*errands)(p)
		for i := range 20 {
			e, err := s.byName.Entry(th, View(fmt.Sprint("errand", i)))
			if err != nil {
				t.Fatal(err)
			}
			e.mu.Lock(th)
			if err := e.done.Set(th, errandResult{View(fmt.Sprint("result", i)), int64(i)}); err != nil {
				t.Fatal(err)
			}
			e.mu.Unlock(th)
		}
		for i := range 20 {
			e := s.byName.Get(View(fmt.Sprint("errand", i)))
			if got, err := e.done.Wait(th); err != nil || got.text.String() != fmt.Sprint("result", i) || got.count != int64(i) {
				t.Errorf("errand %d: %+v, %v", i, got, err)
			}
		}
		if err := s.byName.Put(th, View("copy"), *s.byName.Get(View("errand3"))); !errors.Is(err, errNotEmpty) {
			t.Errorf("a kept Promise was copied: %v", err)
		}
		if err := s.answers.Append(th, Promise[String]{}); err != nil {
			t.Fatal(err)
		}
		if err := s.answers.At(0).Fail(th, errTest); err != nil {
			t.Fatal(err)
		}
		s.byName.Delete(th, View("errand7"))
		s.byName.Clear(th)
		s.answers.Free(th)
		th.heap.Free(p)
	})
}

// Primitives may be state but not travel, and a Promise only of what may lie in
// a container.
func TestTypesOfPrimitives(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[playground](), reflect.TypeFor[errands]()} {
		if err := checkState(typ); err != nil {
			t.Error(err)
		}
	}
	if err := checkState(reflect.TypeFor[struct{ p Promise[[]string] }]()); !errors.Is(err, ErrType) || !strings.Contains(err.Error(), "p[] is a Go slice") {
		t.Errorf("a Promise of a Go slice: %v", err)
	}
	for what, err := range map[string]error{
		"Mutex": planError[Mutex](), "RWMutex": planError[RWMutex](), "Cond": planError[Cond](),
		"WaitGroup": planError[WaitGroup](), "Semaphore": planError[Semaphore](), "Once": planError[Once](),
		"Timer": planError[Timer](), "Ticker": planError[Ticker](), "Promise": planError[Promise[int64]](),
	} {
		if !errors.Is(err, ErrType) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s as an argument: %v", what, err)
		}
	}
}

func planError[T any]() error {
	_, err := planFor[struct{ v T }]()
	return err
}
