package fiber_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unsafe"

	"nuos/proclet/internal/fiber"
	"nuos/proclet/internal/fiber/internal/stress"
)

// children are what a test lets a process of its own do, by name.
var children = map[string]func(){}

func TestMain(m *testing.M) {
	if do, ok := children[os.Getenv("FIBER_TEST_CHILD")]; ok {
		do()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child runs children[name] in another process, and returns its exit status and what
// it printed.
func child(t *testing.T, name string, env ...string) (status int, output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0])
	c.Env = append(append(os.Environ(), env...), "FIBER_TEST_CHILD="+name)
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%v, %v; it printed:\n%s", err, ctx.Err(), out)
	}
	return c.ProcessState.ExitCode(), string(out)
}

// header is what the fibers of these tests have in their headers.
type header struct {
	fiber.Fiber
	n    int
	note [8]int
}

func headerOf(f *fiber.Fiber) *header { return (*header)(unsafe.Pointer(f)) }

// fibers is the world of one test: what its fibers are doing.
type fibers struct {
	ended, detached chan *fiber.Fiber
}

// hooked sets the hooks for the test.
func hooked(t testing.TB) *fibers {
	if err := fiber.Check(); err != nil {
		t.Fatal(err)
	}
	fs := &fibers{make(chan *fiber.Fiber), make(chan *fiber.Fiber)}
	fiber.Hooks.Ended = func(f *fiber.Fiber) { fs.ended <- f }
	fiber.Hooks.Detached = func(f *fiber.Fiber) { fs.detached <- f }
	return fs
}

// start runs entry as a fiber in the n-th region.
func start(n int, entry func(*fiber.Fiber)) *fiber.Fiber {
	f, err := fiber.New(stress.Region(n), entry)
	if err != nil {
		panic(err)
	}
	f.Start()
	return f
}

// needMovable skips a test of what the race detector does not allow.
func needMovable(t *testing.T) {
	t.Helper()
	if !fiber.Movable {
		t.Skip("with the race detector a fiber is an ordinary goroutine and has no stack of its own")
	}
}

func count(s, sub string) int { return strings.Count(s, sub) }
