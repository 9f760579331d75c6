#include "textflag.h"

// func outb(port uint16, value byte)
// It uses no stack and calls nothing.
TEXT ·outb(SB), NOSPLIT, $0-3
	MOVW port+0(FP), DX
	MOVB value+2(FP), AX
	OUTB
	RET
