package qemu

import (
	"os"
	"path/filepath"
)

// The firmware of machines. QEMU's choice for q35 and pc is SeaBIOS, which looks for
// screens, disks and something to boot before it comes to the kernel that the command line
// names: 45 ms of emulation. qboot, which microvm has in any case, goes straight there
// and leaves the addresses on the PCI bus to the kernel.

const qboot = "qboot.rom"

// firmware is the file of the firmware for a machine of these options; "" leaves the
// choice to the emulator. It looks for qboot where distributions and QEMU's own
// installation have it, seen from the emulator.
func firmware(o *Options, emulator string) string {
	if o.Firmware == "seabios" || o.MachineType == "microvm" {
		return ""
	}
	if path, err := filepath.EvalSymlinks(emulator); err == nil {
		emulator = path
	}
	path := filepath.Join(filepath.Dir(emulator), "..", "share", "qemu", qboot)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if o.Firmware == "" {
		return ""
	}
	return qboot // the emulator looks in more places, and says if it is nowhere
}
