//go:build metal

#include "textflag.h"

// All of these are NOSPLIT leaves with no frame of their own: they touch only
// registers and, for the flags, one slot that is popped again at once, so they
// need no stack check and are right on any stack.

// func interruptsOff() uintptr
TEXT ·interruptsOff(SB), NOSPLIT, $0-8
	PUSHFQ
	POPQ	AX
	CLI
	MOVQ	AX, ret+0(FP)
	RET

// func interruptsRestore(flags uintptr)
TEXT ·interruptsRestore(SB), NOSPLIT, $0-8
	MOVQ	flags+0(FP), AX
	TESTQ	$0x200, AX
	JZ	off
	STI
off:
	RET

// func spinHint()
TEXT ·spinHint(SB), NOSPLIT, $0-0
	PAUSE
	RET

// func invalidate(v Virt)
TEXT ·invalidate(SB), NOSPLIT, $0-8
	MOVQ	v+0(FP), AX
	INVLPG	(AX)
	RET

// func setRoot(root Phys)
TEXT ·setRoot(SB), NOSPLIT, $0-8
	MOVQ	root+0(FP), AX
	MOVQ	AX, CR3
	RET

// func readRoot() Phys
TEXT ·readRoot(SB), NOSPLIT, $0-8
	MOVQ	CR3, AX
	MOVQ	AX, ret+0(FP)
	RET
