#include "textflag.h"

// Offsets in runtime.g, runtime/runtime2.go.
#define g__panic 32
#define g__defer 40

// func caller() (pc, sp, bp uintptr)
//
// The frame pointer leads there: it is that of the Go function that calls,
// because this one has no frame, and lies below the return address.
TEXT ·caller(SB), NOSPLIT|NOFRAME, $0-24
	MOVQ 8(BP), AX
	MOVQ AX, pc+0(FP)
	LEAQ 16(BP), AX
	MOVQ AX, sp+8(FP)
	MOVQ 0(BP), AX
	MOVQ AX, bp+16(FP)
	RET

// func chains() (deferred, panicking uintptr)
//
// g._defer and g._panic of the goroutine that calls.
TEXT ·chains(SB), NOSPLIT|NOFRAME, $0-16
	MOVQ (TLS), CX
	MOVQ g__defer(CX), AX
	MOVQ AX, deferred+0(FP)
	MOVQ g__panic(CX), AX
	MOVQ AX, panicking+8(FP)
	RET
