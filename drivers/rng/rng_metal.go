//go:build metal

package rng

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"nuos/drivers/pci"
	"nuos/drivers/virtiopci"
)

// enough is how many bytes the device is asked for.
const enough = 64

func init() {
	random, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	work := func() {
		defer random.Close()
		if err := feed(random); err != nil {
			fmt.Fprintf(os.Stderr, "nuos: %v\n", err)
		}
	}
	if bits, err := unix.IoctlGetInt(int(random.Fd()), unix.RNDGETENTCNT); err == nil && bits != 0 {
		go work()
		return
	}
	work()
}

// feed mixes what the machine's entropy devices say into the kernel's random numbers.
func feed(random *os.File) error {
	bus, err := pci.Machine()
	if err != nil {
		return nil // no bus, no device
	}
	for _, f := range bus.Functions {
		if !virtiopci.Is(f, virtiopci.Entropy) {
			continue
		}
		// struct rand_pool_info (random(4)).
		var info struct {
			bits, size int32
			bytes      [enough]byte
		}
		n, err := ask(f, info.bytes[:])
		if err != nil {
			return fmt.Errorf("%v: %w", f, err)
		}
		info.bits, info.size = int32(n)*8, int32(n)
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, random.Fd(), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&info))); e != 0 {
			return fmt.Errorf("RNDADDENTROPY: %w", e)
		}
	}
	return nil
}
