//go:build metal

#include "go_asm.h"
#include "textflag.h"

// Instructions that Go has no words for. All are NOSPLIT leaves that use no
// stack beyond their arguments.

// func thisCPU() *cpu
TEXT ·thisCPU(SB),NOSPLIT,$0-8
	MOVQ	cpu_self(GS), AX
	MOVQ	AX, ret+0(FP)
	RET

// func inHandler() bool
// The stand-in g of a processor lies in cpus; a goroutine's never does.
TEXT ·inHandler(SB),NOSPLIT,$0-1
	MOVQ	(TLS), AX
	MOVQ	$·cpus(SB), CX
	SUBQ	CX, AX
	CMPQ	AX, $(const_maxCPUs*cpu__size)
	SETCS	ret+0(FP)
	RET

// func currentG() uintptr
// Where the runtime keeps it on linux/amd64: at the word before FS.
TEXT ·currentG(SB),NOSPLIT,$0-8
	MOVQ	(TLS), AX
	MOVQ	AX, ret+0(FP)
	RET

// func readCR2() uint64
TEXT ·readCR2(SB),NOSPLIT,$0-8
	MOVQ	CR2, AX
	MOVQ	AX, ret+0(FP)
	RET

// func readCR3() uint64
TEXT ·readCR3(SB),NOSPLIT,$0-8
	MOVQ	CR3, AX
	MOVQ	AX, ret+0(FP)
	RET

// func readCR4() uint64
TEXT ·readCR4(SB),NOSPLIT,$0-8
	MOVQ	CR4, AX
	MOVQ	AX, ret+0(FP)
	RET

// func writeCR4(v uint64)
TEXT ·writeCR4(SB),NOSPLIT,$0-8
	MOVQ	v+0(FP), AX
	MOVQ	AX, CR4
	RET

// func readBP() uint64
TEXT ·readBP(SB),NOSPLIT,$0-8
	MOVQ	BP, ret+0(FP)
	RET

// func halt()
// Sleeps until an interrupt, which trap<> notes in cpu.pending. STI takes
// effect after HLT has begun, so an interrupt that is due already ends it.
TEXT ·halt(SB),NOSPLIT,$0-0
	MOVB	$const_modeHalt, cpu_mode(GS)
	STI
	HLT
	CLI
	MOVB	$const_modeKernel, cpu_mode(GS)
	RET

// func stopForever()
TEXT ·stopForever(SB),NOSPLIT,$0-0
	CLI
	HLT
	JMP	-2(PC)

// func loadTables(gdt, idt *descriptor, tss uint16)
// Loads the tables; the selectors of the new GDT mean what those of boot's
// mean, so CS need not be reloaded.
TEXT ·loadTables(SB),NOSPLIT,$0-18
	MOVQ	gdt+0(FP), AX
	LGDT	(AX)
	MOVQ	idt+8(FP), AX
	LIDT	(AX)
	MOVW	tss+16(FP), AX
	LTR	AX
	RET

// func copyBytes(dst, src, n uintptr) bool
// Copies n bytes and reports whether all could be; a fault that mm cannot
// resolve while IP is in here continues at copyFault, which has the same frame.
TEXT ·copyBytes(SB),NOSPLIT,$0-25
	MOVQ	dst+0(FP), DI
	MOVQ	src+8(FP), SI
	MOVQ	n+16(FP), DX
	CLD
	MOVQ	DX, CX
	SHRQ	$3, CX
	REP; MOVSQ
	MOVQ	DX, CX
	ANDQ	$7, CX
	REP; MOVSB
	MOVB	$1, ret+24(FP)
	RET

TEXT ·copyFault(SB),NOSPLIT,$0-25
	MOVB	$0, ret+24(FP)
	RET

// func addressOf...() uintptr: entry points that only hardware jumps to.
TEXT ·addressOfSyscallEntry(SB),NOSPLIT,$0-8
	MOVQ	$·syscallEntry(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

TEXT ·addressOfStubs(SB),NOSPLIT,$0-8
	MOVQ	$·vectorStubs(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

TEXT ·addressOfCopy(SB),NOSPLIT,$0-16
	MOVQ	$·copyBytes(SB), AX
	MOVQ	AX, begin+0(FP)
	MOVQ	$·copyFault(SB), AX
	MOVQ	AX, fault+8(FP)
	RET

TEXT ·addressOfVDSO(SB),NOSPLIT,$0-8
	MOVQ	$·vdsoClockGettime(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

TEXT ·addressOfProcessorEntry(SB),NOSPLIT,$0-8
	MOVQ	$·processorEntry(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

TEXT ·addressOfProgram(SB),NOSPLIT,$0-8
	MOVQ	$_rt0_amd64_linux(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// vdsoClockGettime is clock_gettime(2) by the C calling convention, with DI the
// clock and SI the struct timespec. The runtime calls it on a g0 or signal
// stack. It changes only registers that C lets it.
//
// nanoseconds = (TSC - clock.tsc) * clock.mult >> 32, see clock.go.
TEXT ·vdsoClockGettime(SB),NOSPLIT|NOFRAME,$0
	LFENCE
	RDTSC
	CMPL	·clock+clockState_steady(SB), $0
	JNE	steady
	SHLQ	$32, DX
	ORQ	DX, AX
	SUBQ	·clock+clockState_tsc(SB), AX
	MULQ	·clock+clockState_mult(SB)
	SHRQ	$32, AX
	SHLQ	$32, DX
	ORQ	DX, AX
	TESTL	DI, DI	// CLOCK_REALTIME is 0
	JNE	monotonic
	ADDQ	·clock+clockState_wall(SB), AX
monotonic:
	XORL	DX, DX
	MOVQ	$1000000000, CX
	DIVQ	CX
	MOVQ	AX, 0(SI)
	MOVQ	DX, 8(SI)
	XORL	AX, AX
	RET
steady:
	MOVL	$228, AX	// the system call clock_gettime
	SYSCALL
	RET

// func programSections() (text, rodata, data uintptr)
// The linker's symbols: first byte of the code, first byte of the read-only
// data, last byte of it.
TEXT ·programSections(SB),NOSPLIT,$0-24
	MOVQ	$runtime·text(SB), AX
	MOVQ	AX, text+0(FP)
	MOVQ	$runtime·rodata(SB), AX
	MOVQ	AX, rodata+8(FP)
	MOVQ	$runtime·epclntab(SB), AX
	MOVQ	AX, data+16(FP)
	RET

// func xcr0() uint64
TEXT ·xcr0(SB),NOSPLIT,$0-8
	XORL	CX, CX
	XGETBV
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, ret+0(FP)
	RET
