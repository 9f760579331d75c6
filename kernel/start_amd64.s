//go:build metal

#include "go_asm.h"
#include "textflag.h"

// start is where boot jumps to on the boot processor: 64-bit mode, interrupts
// off, 64 KiB of stack, no g. It makes processor 0's block and stand-in g known
// and calls Go, which does not return.
TEXT ·start(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	$·cpus(SB), R9
	MOVQ	R9, cpu_self(R9)
	LEAQ	cpu_standIn(R9), R10
	MOVQ	R10, cpu_g(R9)
	MOVQ	R10, cpu_tls(R9)
	LEAQ	(cpu_tls+8)(R9), R11
	MOVQ	R11, cpu_fs(R9)
	MOVB	$const_modeKernel, cpu_mode(R9)
	LEAQ	-(60<<10)(SP), R12
	MOVQ	R12, standInG_lo(R10)
	MOVQ	SP, standInG_hi(R10)
	ADDQ	$const_stackGuard, R12
	MOVQ	R12, standInG_guard0(R10)
	MOVQ	R12, standInG_guard1(R10)
	MOVQ	·bootVector(SB), R13
	JMP	goEntry<>(SB)

// processorEntry is where the trampoline of smp.go brings every other
// processor: R9 is its cpu block, already filled, SP not yet set.
TEXT ·processorEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	cpu_stack(R9), SP
	MOVQ	R9, cpu_scratch(R9)
	CALL	nuos∕boot·EnableFeatures(SB)	// destroys AX to DX and SI
	MOVQ	·processorVector(SB), R13
	JMP	goEntry<>(SB)

TEXT goEntry<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVL	$0xC0000101, CX	// IA32_GS_BASE
	MOVQ	R9, AX
	MOVQ	R9, DX
	SHRQ	$32, DX
	WRMSR
	MOVL	$0xC0000100, CX	// IA32_FS_BASE
	MOVQ	cpu_fs(R9), AX
	MOVQ	AX, DX
	SHRQ	$32, DX
	WRMSR
	MOVQ	cpu_g(R9), R14
	XORPS	X15, X15
	CLD
	MOVQ	R9, AX
	MOVQ	R13, DX
	LEAQ	-64(SP), SP
	ANDQ	$~15, SP
	MOVQ	(DX), R13
	CALL	R13
	CLI
	HLT
	JMP	-1(PC)
