//go:build metal

#include "textflag.h"

// func Exit(code uint8)
//
// NOSPLIT: it is also called where there is no g, and uses no stack.
TEXT ·Exit(SB), NOSPLIT, $0-1
	CLI
	MOVB code+0(FP), AX
	MOVL $0xF4, DX
	OUTB
halt:
	HLT
	JMP  halt
