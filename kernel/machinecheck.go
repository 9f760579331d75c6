//go:build metal

package kernel

import "nuos/kernel/internal/x86"

// Machine checks: the hardware has found an error in itself (SDM vol. 3, chapter 16).
// None is recovered from. The banks of registers say what it was.

const (
	msrCheckCapability = 0x179
	msrCheckStatus     = 0x17A
	msrCheckControl    = 0x17B
	msrFirstBank       = 0x400 // control, status, address, miscellaneous of each

	haveCheckControl = 1 << 8
)

// enableMachineCheck has the processor report errors by exception instead of
// resetting the machine.
func enableMachineCheck() {
	const haveException, haveArchitecture, cr4MCE = 1 << 7, 1 << 14, 1 << 6
	_, _, _, features := x86.CPUID(1, 0)
	if features&haveException == 0 {
		return
	}
	if features&haveArchitecture != 0 {
		capability := x86.ReadMSR(msrCheckCapability)
		if capability&haveCheckControl != 0 {
			x86.WriteMSR(msrCheckControl, ^uint64(0))
		}
		for bank := range uint32(capability & 0xFF) {
			x86.WriteMSR(msrFirstBank+4*bank, ^uint64(0))
			x86.WriteMSR(msrFirstBank+4*bank+1, 0) // from before a reset
		}
	}
	writeCR4(readCR4() | cr4MCE)
}

// printBanks prints what the banks of this processor have recorded.
func printBanks() {
	const valid, haveMisc, haveAddress = 1 << 63, 1 << 59, 1 << 58
	if _, _, _, features := x86.CPUID(1, 0); features>>14&1 == 0 {
		return
	}
	printString("status ")
	printHex(x86.ReadMSR(msrCheckStatus))
	printString("\n")
	for bank := range uint32(x86.ReadMSR(msrCheckCapability) & 0xFF) {
		msr := msrFirstBank + 4*bank
		status := x86.ReadMSR(msr + 1)
		if status&valid == 0 {
			continue
		}
		printString("bank ")
		printInt(int64(bank))
		printString(" status ")
		printHex(status)
		if status&haveAddress != 0 {
			printString(" address ")
			printHex(x86.ReadMSR(msr + 2))
		}
		if status&haveMisc != 0 {
			printString(" miscellaneous ")
			printHex(x86.ReadMSR(msr + 3))
		}
		printString("\n")
	}
}
