//go:build metal

package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

func init() { exercises["random"] = random }

// random wants the kernel to think of its random numbers what args[0] says, safe or
// guessable, and them to look random; and nobody to see the seed.
func random(args []string) error {
	f, err := os.Open("/dev/random")
	if err != nil {
		return err
	}
	defer f.Close()
	bits, err := unix.IoctlGetInt(int(f.Fd()), unix.RNDGETENTCNT)
	if err != nil {
		return fmt.Errorf("RNDGETENTCNT: %w", err)
	}
	if safe := bits >= 256; safe != (args[0] == "safe") {
		return fmt.Errorf("%d bits of entropy, want %s", bits, args[0])
	}
	if err := unix.IoctlSetInt(int(f.Fd()), 0x12345678, 0); err != unix.EINVAL {
		return fmt.Errorf("an unknown ioctl: %v, want %v", err, unix.EINVAL)
	}
	var seen [256]int
	b := make([]byte, 1<<16)
	rand.Read(b)
	for _, v := range b {
		seen[v]++
	}
	for v, n := range seen {
		if n < 150 || n > 370 { // 256 on average, with a deviation of 16
			return fmt.Errorf("%d is %d of 65536 bytes", v, n)
		}
	}
	if seed, err := os.ReadFile("/etc/random-seed"); err == nil && strings.Trim(string(seed), "\x00") != "" {
		return fmt.Errorf("the seed can be read: %q", seed)
	}
	return nil
}
