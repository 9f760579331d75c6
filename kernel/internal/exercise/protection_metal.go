//go:build metal

package main

import (
	"errors"
	"fmt"
	"runtime/debug"
	"syscall"
	"unsafe"

	"nuos/kernel"
	"nuos/mm"
)

// What protects memory besides the program's own page protections.

func init() {
	exercises["audit"] = audit
	exercises["overflow"] = overflow
	extraChecks = noOtherWay
}

// audit looks through all page tables, and tries the way around them: the direct map.
func audit([]string) error {
	if err := auditTables(); err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	for name, addr := range map[string]uintptr{
		"code": codeOf(audit), "a constant": uintptr(unsafe.Pointer(unsafe.StringData(readOnly))),
	} {
		p, _, _ := mm.Translate(mm.Virt(addr))
		view := uintptr(mm.Direct(p))
		if *(*byte)(at(view)) != *(*byte)(at(addr)) {
			return fmt.Errorf("%s is not where the direct map shows it", name)
		}
		if err := wantFaultAt(view, write); err != nil {
			return fmt.Errorf("writing %s through the direct map: %w", name, err)
		}
		if err := wantFaultAt(view, execute); err != nil {
			return fmt.Errorf("executing %s in the direct map: %w", name, err)
		}
	}
	const all = readWrite | syscall.PROT_EXEC
	if _, err := syscall.Mmap(-1, 0, 4096, all, syscall.MAP_ANON|syscall.MAP_PRIVATE); err != syscall.EACCES {
		return fmt.Errorf("memory to write and execute: %v, want EACCES", err)
	}
	return nil
}

func auditTables() error {
	a := kernel.AuditMemory()
	switch {
	case a.Broken:
		return fmt.Errorf("what is executed at %#x can be written at %#x", a.Execute, a.Write)
	case a.Lowest < 64<<10:
		return fmt.Errorf("%#x is mapped", a.Lowest)
	case a.Executable == 0 || a.Writable == 0 || a.Constant == 0:
		return fmt.Errorf("the walk has missed something: %+v", a)
	}
	fmt.Printf("audit: %d pages executable, %d writable, %d constant, from %#x on\n", a.Executable, a.Writable, a.Constant, a.Lowest)
	return nil
}

// noOtherWay is extraChecks: code that was made is protected as the program's is.
func noOtherWay(code []byte) error {
	p, _, found := mm.Translate(mm.Virt(uintptr(unsafe.Pointer(&code[0]))))
	if !found {
		return errors.New("code that runs is not mapped")
	}
	if err := wantFaultAt(uintptr(mm.Direct(p)), write); err != nil {
		return fmt.Errorf("writing code that was made through the direct map: %w", err)
	}
	return auditTables()
}

// overflow makes the kernel use more stack than there is.
func overflow([]string) error {
	kernel.SetSockets(&kernel.Sockets{Call: greedyHandler})
	syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	return errors.New("the kernel survived")
}

// greedyHandler writes downwards, as a handler would that is too deep.
//
//go:noinline
func greedyHandler(*kernel.Call) int {
	var local byte
	for p := uintptr(unsafe.Pointer(&local)); ; p -= 8 {
		*(*uint64)(at(p &^ 7)) = 0x5a
	}
}
