#include "go_asm.h"
#include "textflag.h"
#include "funcdata.h"

// R14 is g and X15 is 0 in Go code. The compiler sets both anew after a call of
// assembly; only call enters Go code by itself, and swap where a fiber goes on that
// was held in its sleep: as if a Go function had returned.

// func swap(save, load *context)
TEXT ·swap(SB), NOSPLIT|NOFRAME, $0-16
	MOVQ save+0(FP), AX
	MOVQ load+8(FP), BX
	MOVQ (TLS), R14

	MOVQ SP, context_sp(AX)
	MOVQ BP, context_bp(AX)
	MOVQ 0(SP), CX
	MOVQ CX, context_pc(AX)
	MOVQ const_gStackLo(R14), CX
	MOVQ CX, context_lo(AX)
	MOVQ const_gStackHi(R14), CX
	MOVQ CX, context_hi(AX)
	MOVQ const_gStktopsp(R14), CX
	MOVQ CX, context_top(AX)
	MOVQ const_gDefer(R14), CX
	MOVQ CX, context_deferred(AX)
	MOVQ const_gPanic(R14), CX
	MOVQ CX, context_panicked(AX)

	MOVQ context_top(BX), CX
	MOVQ CX, const_gStktopsp(R14)
	MOVQ context_deferred(BX), CX
	MOVQ CX, const_gDefer(R14)
	MOVQ context_panicked(BX), CX
	MOVQ CX, const_gPanic(R14)
	MOVQ context_hi(BX), CX
	MOVQ CX, const_gStackHi(R14)
	MOVQ context_lo(BX), CX
	MOVQ CX, const_gStackLo(R14)

	// A request to yield that another processor has left in the guard, or leaves
	// there now, must not be lost: newstack sets the guard anew after it.
	ADDQ $const_stackGuard, CX
guard:
	MOVQ const_gStackguard0(R14), AX
	CMPQ AX, $const_stackPreempt
	JEQ  done
	LOCK
	CMPXCHGQ CX, const_gStackguard0(R14)
	JNE  guard
done:
	MOVQ context_bp(BX), BP
	MOVQ context_sp(BX), SP
	XORPS X15, X15
	RET

// func here(c *context)
TEXT ·here(SB), NOSPLIT|NOFRAME, $0-8
	MOVQ c+0(FP), AX
	MOVQ (TLS), R14
	MOVQ SP, context_sp(AX)
	MOVQ BP, context_bp(AX)
	MOVQ 0(SP), CX
	MOVQ CX, context_pc(AX)
	MOVQ const_gStackLo(R14), CX
	MOVQ CX, context_lo(AX)
	MOVQ const_gStackHi(R14), CX
	MOVQ CX, context_hi(AX)
	MOVQ const_gStktopsp(R14), CX
	MOVQ CX, context_top(AX)
	MOVQ const_gDefer(R14), CX
	MOVQ CX, context_deferred(AX)
	MOVQ const_gPanic(R14), CX
	MOVQ CX, context_panicked(AX)
	RET

// func cut(c *context, base uintptr)
TEXT ·cut(SB), NOSPLIT|NOFRAME, $0-16
	MOVQ c+0(FP), AX
	MOVQ base+8(FP), BX
	MOVQ (TLS), R14
	MOVQ context_top(AX), DX
	MOVQ DX, const_gStktopsp(R14)
	MOVQ BX, -8(DX)
	MOVQ $0, -16(DX)
	MOVQ context_deferred(AX), CX
	MOVQ CX, const_gDefer(R14)
	MOVQ context_panicked(AX), CX
	MOVQ CX, const_gPanic(R14)
	RET

// A boundary. Its frame, of which the assembler saves BP on top:
//
//	 0  where the called function may spill its argument
//	 8  g._defer   \
//	16  g._panic    | of the lower part
//	24  f.arena    /
//
// The offsets are known to boundary.go. To the collector the frame holds no
// pointers: what is saved is also where it was taken from, and fn is a number to
// it, because what fn refers to must not be live in the lower part while it runs.
//
// func call(f *Fiber, fn uintptr)
TEXT ·call(SB), NOSPLIT, $32-16
	NO_LOCAL_POINTERS
	MOVQ f+0(FP), AX
	MOVQ fn+8(FP), DX
	MOVQ (TLS), R14
	MOVQ const_gDefer(R14), CX
	MOVQ CX, deferred-24(SP)
	MOVQ const_gPanic(R14), CX
	MOVQ CX, panicked-16(SP)
	MOVQ Fiber_arena(AX), CX
	MOVQ CX, arena-8(SP)
	XORPS X15, X15
	MOVQ (DX), CX
	CALL CX
	RET

// base is the outermost frame of every part of a fiber. Nothing calls it: the
// return address of the frame above is base+1, the address after a call that
// was never made. TOPFRAME ends every walk over the stack here.
TEXT ·base(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	BYTE $0x90
	CALL ·end(SB)
	INT $3

// func entryPoints() (run, base uintptr)
TEXT ·entryPoints(SB), NOSPLIT, $0-16
	LEAQ ·run(SB), AX
	MOVQ AX, run+0(FP)
	LEAQ ·base(SB), AX
	INCQ AX
	MOVQ AX, base+8(FP)
	RET

// func programBounds() (text, etext, rodata, erodata uintptr)
TEXT ·programBounds(SB), NOSPLIT, $0-32
	LEAQ runtime·text(SB), AX
	MOVQ AX, text+0(FP)
	LEAQ runtime·etext(SB), AX
	MOVQ AX, etext+8(FP)
	LEAQ runtime·rodata(SB), AX
	MOVQ AX, rodata+16(FP)
	LEAQ runtime·erodata(SB), AX
	MOVQ AX, erodata+24(FP)
	RET

// func getg() uintptr
TEXT ·getg(SB), NOSPLIT|NOFRAME, $0-8
	MOVQ (TLS), AX
	MOVQ AX, ret+0(FP)
	RET

// func parkCAS(p *uint32, old, new uint32) bool
TEXT ·parkCAS(SB), NOSPLIT|NOFRAME, $0-17
	MOVQ p+0(FP), BX
	MOVL old+8(FP), AX
	MOVL new+12(FP), CX
	LOCK
	CMPXCHGL CX, 0(BX)
	SETEQ ret+16(FP)
	RET
