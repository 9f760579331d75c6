//go:build metal

#include "textflag.h"

// func pushForever()
// The pushes are bytes so that the assembler does not add them up.
TEXT ·pushForever(SB),NOSPLIT,$0-0
	BYTE	$0x50	// PUSH RAX
	BYTE	$0xEB; BYTE $0xFD	// JMP to it

// func pushForeverCode() uintptr
TEXT ·pushForeverCode(SB),NOSPLIT,$0-8
	LEAQ	·pushForever(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// func spinForever()
// A byte on the console says that it has begun.
TEXT ·spinForever(SB),NOSPLIT,$0-0
	MOVW	$0x3F8, DX
	MOVB	$'!', AX
	OUTB
	JMP	0(PC)

// func faultTwice()
// Entry 14 of the table, of 16 bytes each, is made absent (bit 7 of byte 5).
TEXT ·faultTwice(SB),NOSPLIT,$16-0
	BYTE $0x0F; BYTE $0x01; BYTE $0x0C; BYTE $0x24 // SIDT (SP)
	MOVQ	2(SP), AX
	ANDB	$0x7F, (14*16+5)(AX)
	MOVQ	$0, AX
	MOVQ	(AX), AX
	RET
