//go:build metal

// List is an image that prints the machine's PCI functions and their BARs, and
// reads a register of each that virtio
// devices have.
package main

import (
	"fmt"
	"os"

	"nuos/drivers/pci"
)

func main() {
	bus, err := pci.Machine()
	if err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	for _, f := range bus.Functions {
		fmt.Printf("function %v class %06x\n", f, f.Class)
		for i, bar := range f.BARs {
			if bar.Size == 0 || bar.IO {
				continue
			}
			fmt.Printf("  BAR %d at %#x, %#x bytes\n", i, uint64(bar.Base), bar.Size)
			if f.Vendor != 0x1af4 {
				continue
			}
			f.Enable()
			regs, err := f.MapBAR(i)
			if err != nil {
				fmt.Println("  ", err)
				continue
			}
			fmt.Printf("  register 4 of BAR %d is %#x\n", i, regs.Read32(4))
		}
		for _, c := range f.Capabilities() {
			fmt.Printf("  capability %#x at %#x\n", c.ID, c.Offset)
		}
		if x, err := f.OpenMSIX(); err == nil {
			fmt.Printf("  %d interrupt messages\n", x.Vectors)
			x.Close()
		}
	}
	fmt.Println("done")
}
