//go:build metal

package kernel

import (
	"github.com/usbarmory/tamago/soc/intel/uart"

	"nuos/kernel/internal/x86"
)

// The console is the first serial port (16550 at 0x3F8), polled. Everything
// here may be called in any context: the driver only reads and writes ports.

const com1 = 0x3F8

var serial = uart.UART{Base: com1}

// startConsole sets 115200 baud, 8N1, FIFOs on, no interrupts.
func startConsole() {
	x86.Out8(com1+1, 0)
	x86.Out8(com1+3, 0x80)
	x86.Out8(com1+0, 1)
	x86.Out8(com1+1, 0)
	x86.Out8(com1+3, 3)
	x86.Out8(com1+2, 7)
	x86.Out8(com1+4, 3)
}

// putc sends a byte. A port that is not there reads as all ones, which says that
// it is ready.
func putc(b byte) { serial.Tx(b) }

// printByte and printString are called wherever something can go wrong, and would be
// a twentieth of the kernel if the compiler had its way and inlined them.
//
//go:noinline
func printByte(b byte) {
	if b == '\n' {
		putc('\r')
	}
	putc(b)
}

//go:noinline
func printString(s string) {
	for i := range len(s) {
		printByte(s[i])
	}
}

func printBytes(b []byte) {
	for _, c := range b {
		printByte(c)
	}
}

func printHex(v uint64) {
	printString("0x")
	shift := 60
	for shift > 0 && v>>uint(shift)&15 == 0 {
		shift -= 4
	}
	for ; shift >= 0; shift -= 4 {
		putc("0123456789abcdef"[v>>uint(shift)&15])
	}
}

func printInt(v int64) {
	if v < 0 {
		putc('-')
		v = -v
	}
	var digits [20]byte
	i := len(digits)
	for {
		i--
		digits[i] = byte('0' + v%10)
		if v /= 10; v == 0 {
			break
		}
	}
	printBytes(digits[i:])
}
