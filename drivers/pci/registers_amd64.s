#include "textflag.h"

// One move each. NOSPLIT leaves without a frame: they use no stack but their
// arguments. On amd64 stores are not reordered with older loads and stores,
// and device memory is mapped uncached, so no fence is needed.

// func load8(v mm.Virt) uint8
TEXT ·load8(SB), NOSPLIT, $0-9
	MOVQ	v+0(FP), BX
	MOVBLZX	(BX), AX
	MOVB	AX, ret+8(FP)
	RET

// func load16(v mm.Virt) uint16
TEXT ·load16(SB), NOSPLIT, $0-10
	MOVQ	v+0(FP), BX
	MOVWLZX	(BX), AX
	MOVW	AX, ret+8(FP)
	RET

// func load32(v mm.Virt) uint32
TEXT ·load32(SB), NOSPLIT, $0-12
	MOVQ	v+0(FP), BX
	MOVL	(BX), AX
	MOVL	AX, ret+8(FP)
	RET

// func load64(v mm.Virt) uint64
TEXT ·load64(SB), NOSPLIT, $0-16
	MOVQ	v+0(FP), BX
	MOVQ	(BX), AX
	MOVQ	AX, ret+8(FP)
	RET

// func store8(v mm.Virt, x uint8)
TEXT ·store8(SB), NOSPLIT, $0-9
	MOVQ	v+0(FP), BX
	MOVB	x+8(FP), AX
	MOVB	AX, (BX)
	RET

// func store16(v mm.Virt, x uint16)
TEXT ·store16(SB), NOSPLIT, $0-10
	MOVQ	v+0(FP), BX
	MOVW	x+8(FP), AX
	MOVW	AX, (BX)
	RET

// func store32(v mm.Virt, x uint32)
TEXT ·store32(SB), NOSPLIT, $0-12
	MOVQ	v+0(FP), BX
	MOVL	x+8(FP), AX
	MOVL	AX, (BX)
	RET

// func store64(v mm.Virt, x uint64)
TEXT ·store64(SB), NOSPLIT, $0-16
	MOVQ	v+0(FP), BX
	MOVQ	x+8(FP), AX
	MOVQ	AX, (BX)
	RET
