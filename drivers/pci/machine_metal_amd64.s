//go:build metal

#include "textflag.h"

// Port accesses and CPUID, which Go has no expression for. NOSPLIT leaves
// without a frame: they use registers and their arguments only. Ring 0 may use
// every port.

// func in8(port uint16) uint8
TEXT ·in8(SB), NOSPLIT, $0-9
	MOVW	port+0(FP), DX
	INB
	MOVB	AX, ret+8(FP)
	RET

// func in16(port uint16) uint16
TEXT ·in16(SB), NOSPLIT, $0-10
	MOVW	port+0(FP), DX
	INW
	MOVW	AX, ret+8(FP)
	RET

// func in32(port uint16) uint32
TEXT ·in32(SB), NOSPLIT, $0-12
	MOVW	port+0(FP), DX
	INL
	MOVL	AX, ret+8(FP)
	RET

// func out8(port uint16, v uint8)
TEXT ·out8(SB), NOSPLIT, $0-3
	MOVW	port+0(FP), DX
	MOVB	v+2(FP), AX
	OUTB
	RET

// func out16(port uint16, v uint16)
TEXT ·out16(SB), NOSPLIT, $0-4
	MOVW	port+0(FP), DX
	MOVW	v+2(FP), AX
	OUTW
	RET

// func out32(port uint16, v uint32)
TEXT ·out32(SB), NOSPLIT, $0-8
	MOVW	port+0(FP), DX
	MOVL	v+4(FP), AX
	OUTL
	RET

// func cpuid(leaf uint32) (a, b uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-16
	MOVL	leaf+0(FP), AX
	XORL	CX, CX
	CPUID
	MOVL	AX, a+8(FP)
	MOVL	BX, b+12(FP)
	RET
