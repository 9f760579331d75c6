//go:build metal

package main

import (
	"errors"
	"fmt"
	"syscall"

	"nuos/kernel"
)

// Handlers that are broken in the ways in which code of the kernel can be.

func init() { exercises["broken"] = broken }

var brokenHandlers = map[string]func(*kernel.Call) int{
	"pointer": func(*kernel.Call) int { nilPointer().near = 1; return 0 },
	"index":   func(c *kernel.Call) int { return int(indexed(few[:], zero()+7)) },
	"slice":   func(c *kernel.Call) int { return len(few[zero()+2 : zero()+1]) },
	"divide":  func(c *kernel.Call) int { return 7 / zero() },
	"endless": func(c *kernel.Call) int { return endless(1) },
	"push":    func(c *kernel.Call) int { pushForever(); return 0 },
	"spin":    func(c *kernel.Call) int { spinForever(); return 0 },
	"twice":   func(c *kernel.Call) int { faultTwice(); return 0 },
}

// broken has the kernel run the handler that args[0] names, with interrupts off, on a
// processor's own stack.
func broken(args []string) error {
	h, known := brokenHandlers[args[0]]
	if !known {
		return fmt.Errorf("no handler is broken like %s", args[0])
	}
	kernel.SetSockets(&kernel.Sockets{Call: h})
	fmt.Println("breaking")
	syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	return errors.New("the kernel survived")
}

var few [4]byte

// indexed is generic, which has a name of another kind.
//
//go:noinline
func indexed[T any](list []T, i int) T { return list[i] }

//go:noinline
func endless(n int) int { return endless(n+1) + n }

// pushForever pushes until there is no more stack, which no check of the compiler's
// foresees.
func pushForever()

// pushForeverCode is the address of its first instruction.
func pushForeverCode() uintptr

func spinForever()

// faultTwice takes the entry of page faults out of the interrupt table and faults.
func faultTwice()
