//go:build metal

package main

import (
	"errors"
	"syscall"

	"nuos/kernel"
)

func init() { exercises["kernelpanic"] = kernelPanic }

// kernelPanic makes the kernel run code that is broken.
func kernelPanic([]string) error {
	kernel.SetSockets(&kernel.Sockets{Call: badHandler})
	syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	return errors.New("the kernel survived")
}

//go:noinline
func badHandler(*kernel.Call) int {
	nilPointer().near = 1
	return 0
}
