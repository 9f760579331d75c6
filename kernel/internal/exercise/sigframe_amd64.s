#include "textflag.h"

// Handlers of signals, called as the kernel does: DI is the signal, SI points to its
// siginfo, and signalReturn's address is on top of the stack, to which RET goes. They
// have no frame and change what a signal's frame restores.

// func signalCode() (handler, fault, back uintptr)
TEXT ·signalCode(SB),NOSPLIT,$0-24
	LEAQ	signalHandler<>(SB), AX
	MOVQ	AX, handler+0(FP)
	LEAQ	faultHandler<>(SB), AX
	MOVQ	AX, fault+8(FP)
	LEAQ	signalReturn<>(SB), AX
	MOVQ	AX, back+16(FP)
	RET

TEXT signalHandler<>(SB),NOSPLIT|NOFRAME,$0-0
	INCL	·signalTaken(SB)
	RET

TEXT faultHandler<>(SB),NOSPLIT|NOFRAME,$0-0
	MOVL	8(SI), AX	// si_code
	MOVL	AX, ·faultCode(SB)
	INCL	·signalLost(SB)
	RET

// rt_sigreturn(2), which takes SP as it is.
TEXT signalReturn<>(SB),NOSPLIT|NOFRAME,$0-0
	MOVQ	$15, AX
	SYSCALL
	INT	$3	// not reached

// func breakpoint()
TEXT ·breakpoint(SB),NOSPLIT|NOFRAME,$0-0
	BYTE	$0xCC	// INT3
	RET

// func breakpointAt(sp uintptr)
TEXT ·breakpointAt(SB),NOSPLIT,$0-8
	MOVQ	SP, R12
	MOVQ	sp+0(FP), SP
	BYTE	$0xCC
	MOVQ	R12, SP
	RET
