//go:build metal

#include "go_asm.h"
#include "textflag.h"

// Entry to and return from the kernel. Program and kernel share ring 0, so the
// processor switches neither stack nor segment for us on SYSCALL, and only the
// stack (through the interrupt stack table) on interrupts and faults.
//
// Invariants:
//   - GS is this processor's cpu block, always; Go never uses GS on linux.
//   - Interrupts are off from entry to return. cpu.mode says what an interrupt
//     or fault has hit: the program, the kernel, or a halted processor.
//   - The kernel is ordinary Go: R14 holds the processor's stand-in g, whose
//     stackguard0 is the low end of the kernel stack, X15 is zero, and FS points
//     behind a word that holds the same g, because every assembly function of
//     the runtime is followed by a reload of R14 from there.
//   - Handlers are entered through their funcval, that is, by the register ABI,
//     with 64 bytes above SP free for them to spill arguments into.
//
// Everything here is NOSPLIT|NOFRAME: it runs on stacks no g knows, and moves
// SP itself. The stack pointer is adjusted with LEAQ and the stubs push with
// BYTEs, because the linker's stack check would add up the pushes of all stubs.

#define SAVE(T) \
	MOVQ	AX, thread_ax(T); \
	MOVQ	BX, thread_bx(T); \
	MOVQ	CX, thread_cx(T); \
	MOVQ	DX, thread_dx(T); \
	MOVQ	SI, thread_si(T); \
	MOVQ	DI, thread_di(T); \
	MOVQ	BP, thread_bp(T); \
	MOVQ	R8, thread_r8(T); \
	MOVQ	R9, thread_r9(T); \
	MOVQ	R10, thread_r10(T); \
	MOVQ	R12, thread_r12(T); \
	MOVQ	R13, thread_r13(T); \
	MOVQ	R14, thread_r14(T); \
	MOVQ	R15, thread_r15(T)

// All but AX, CX and R11.
#define RESTORE(T) \
	MOVQ	thread_bx(T), BX; \
	MOVQ	thread_dx(T), DX; \
	MOVQ	thread_si(T), SI; \
	MOVQ	thread_di(T), DI; \
	MOVQ	thread_bp(T), BP; \
	MOVQ	thread_r8(T), R8; \
	MOVQ	thread_r9(T), R9; \
	MOVQ	thread_r10(T), R10; \
	MOVQ	thread_r12(T), R12; \
	MOVQ	thread_r13(T), R13; \
	MOVQ	thread_r14(T), R14; \
	MOVQ	thread_r15(T), R15

// WRITEFS sets the FS base to R8; clobbers AX, CX, DX.
#define WRITEFS \
	CMPB	·haveFSGSBASE(SB), $0; \
	JEQ	3(PC); \
	WRFSBASEQ	R8; \
	JMP	6(PC); \
	MOVL	$0xC0000100, CX; \
	MOVQ	R8, AX; \
	MOVQ	R8, DX; \
	SHRQ	$32, DX; \
	WRMSR

// SAVEVECTOR saves the vector state at (R8); clobbers AX, DX.
#define SAVEVECTOR \
	CMPB	·haveXSAVE(SB), $0; \
	JEQ	5(PC); \
	MOVL	$-1, AX; \
	MOVL	$-1, DX; \
	XSAVE64	(R8); \
	JMP	2(PC); \
	FXSAVE64	(R8)

#define RESTOREVECTOR \
	CMPB	·haveXSAVE(SB), $0; \
	JEQ	5(PC); \
	MOVL	$-1, AX; \
	MOVL	$-1, DX; \
	XRSTOR64	(R8); \
	JMP	2(PC); \
	FXRSTOR64	(R8)

// SAVEFRAME and RESTOREFRAME save the registers in the faultFrame at SP and restore
// them, which leaves SP at what the processor pushed.
#define SAVEFRAME \
	MOVQ	AX, faultFrame_ax(SP); \
	MOVQ	BX, faultFrame_bx(SP); \
	MOVQ	CX, faultFrame_cx(SP); \
	MOVQ	DX, faultFrame_dx(SP); \
	MOVQ	SI, faultFrame_si(SP); \
	MOVQ	DI, faultFrame_di(SP); \
	MOVQ	BP, faultFrame_bp(SP); \
	MOVQ	R8, faultFrame_r8(SP); \
	MOVQ	R9, faultFrame_r9(SP); \
	MOVQ	R10, faultFrame_r10(SP); \
	MOVQ	R11, faultFrame_r11(SP); \
	MOVQ	R12, faultFrame_r12(SP); \
	MOVQ	R13, faultFrame_r13(SP); \
	MOVQ	R14, faultFrame_r14(SP); \
	MOVQ	R15, faultFrame_r15(SP)

#define RESTOREFRAME \
	MOVQ	faultFrame_ax(SP), AX; \
	MOVQ	faultFrame_bx(SP), BX; \
	MOVQ	faultFrame_cx(SP), CX; \
	MOVQ	faultFrame_dx(SP), DX; \
	MOVQ	faultFrame_si(SP), SI; \
	MOVQ	faultFrame_di(SP), DI; \
	MOVQ	faultFrame_bp(SP), BP; \
	MOVQ	faultFrame_r8(SP), R8; \
	MOVQ	faultFrame_r9(SP), R9; \
	MOVQ	faultFrame_r10(SP), R10; \
	MOVQ	faultFrame_r11(SP), R11; \
	MOVQ	faultFrame_r12(SP), R12; \
	MOVQ	faultFrame_r13(SP), R13; \
	MOVQ	faultFrame_r14(SP), R14; \
	MOVQ	faultFrame_r15(SP), R15; \
	LEAQ	(faultFrame__size-40)(SP), SP

// KERNELSTATE gives Go code on a stack of exceptions, with the faultFrame at R12 as
// argument and end of the chain of frames, what it expects of registers.
#define KERNELSTATE \
	CLD; \
	MOVQ	cpu_fs(GS), R8; \
	WRITEFS; \
	MOVQ	cpu_g(GS), R14; \
	XORPS	X15, X15; \
	MOVQ	R12, AX; \
	MOVQ	R12, BP

// LOADSS has SS be what it is after a system call, where an interrupt through the interrupt stack
// table has left it null. 64-bit code does not care, and neither do processors. But an
// emulator takes code that runs with another stack segment for other code: without
// this, all that runs both after interrupts and after system calls, threads that are
// resumed there included, is translated twice.
#define LOADSS \
	MOVL	$const_selData, AX; \
	MOVW	AX, SS

// syscallEntry is where SYSCALL lands: CX is the return address, R11 the flags.
// Vector registers are not saved: Go's system calls are ABI0 functions, for
// which all of them are the caller's to save.
TEXT ·syscallEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	R11, cpu_scratch(GS)
	MOVQ	cpu_current(GS), R11
	SAVE(R11)
	MOVQ	CX, thread_ip(R11)
	MOVQ	SP, thread_sp(R11)
	MOVQ	cpu_scratch(GS), AX
	MOVQ	AX, thread_flags(R11)
	MOVQ	$0, thread_full(R11)
	MOVQ	R11, R9
	MOVQ	cpu_self(GS), R10
	MOVQ	·syscallVector(SB), R13
	JMP	enter<>(SB)

// enter calls the handler whose funcval is R13 with arguments R9, R10, R12 on
// this processor's kernel stack, and resumes the thread that it returns.
TEXT enter<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVB	$const_modeKernel, cpu_mode(GS)
	CLD
	MOVQ	cpu_stack(GS), SP
	MOVQ	cpu_fs(GS), R8
	WRITEFS
	MOVQ	cpu_g(GS), R14
	XORPS	X15, X15
	MOVQ	R9, AX
	MOVQ	R10, BX
	MOVQ	R12, CX
	MOVQ	R13, DX
	LEAQ	-64(SP), SP
	MOVQ	(DX), R13
	CALL	R13
	JMP	resume<>(SB)

// func resume(t *thread) continues t on this processor and does not return.
TEXT ·resume(SB),NOSPLIT|NOFRAME,$0-8
	MOVQ	t+0(FP), AX
	JMP	resume<>(SB)

// func firstResume(t *thread) does it on the boot processor, whose stand-in g
// gets the limits of the processor's own stack now that boot's is left.
TEXT ·firstResume(SB),NOSPLIT|NOFRAME,$0-8
	MOVQ	t+0(FP), AX
	MOVQ	cpu_g(GS), BX
	MOVQ	cpu_stack(GS), CX
	MOVQ	CX, standInG_hi(BX)
	LEAQ	-const_kernelStack(CX), CX
	MOVQ	CX, standInG_lo(BX)
	LEAQ	const_stackGuard(CX), CX
	MOVQ	CX, standInG_guard0(BX)
	MOVQ	CX, standInG_guard1(BX)
	JMP	resume<>(SB)

// resume<> returns to the thread in AX.
TEXT resume<>(SB),NOSPLIT|NOFRAME,$0
	MOVQ	AX, cpu_current(GS)
	MOVQ	AX, R9
	MOVQ	thread_fs(R9), R8
	WRITEFS
	CMPQ	thread_full(R9), $0
	JNE	full
	MOVB	$const_modeUser, cpu_mode(GS)
	MOVQ	R9, AX
	RESTORE(AX)
	MOVQ	thread_flags(AX), R11
	MOVQ	thread_ip(AX), CX
	MOVQ	thread_sp(AX), SP
	MOVQ	thread_ax(AX), AX
	STI	// takes effect after the next instruction, when we are out
	JMP	CX
full:
	MOVQ	thread_vector(R9), R8
	RESTOREVECTOR
	MOVQ	cpu_stack(GS), SP
	LEAQ	-40(SP), SP
	MOVQ	thread_ip(R9), CX
	MOVQ	CX, 0(SP)
	MOVQ	$const_selCode, 8(SP)
	MOVQ	thread_flags(R9), CX
	MOVQ	CX, 16(SP)
	MOVQ	thread_sp(R9), CX
	MOVQ	CX, 24(SP)
	MOVQ	$const_selData, 32(SP)
	MOVB	$const_modeUser, cpu_mode(GS)
	MOVQ	R9, AX
	RESTORE(AX)
	MOVQ	thread_r11(AX), R11
	MOVQ	thread_cx(AX), CX
	MOVQ	thread_ax(AX), AX
	IRETQ

// trap is where the stub of every vector goes. The stack is the one that the
// interrupt stack table names for the vector:
//	0 vector  8 error code  16 ip  24 cs  32 flags  40 sp  48 ss
TEXT trap<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CMPB	cpu_mode(GS), $const_modeUser
	JNE	notUser
	MOVQ	R11, cpu_scratch(GS)
	MOVQ	cpu_current(GS), R11
	SAVE(R11)
	MOVQ	cpu_scratch(GS), AX
	MOVQ	AX, thread_r11(R11)
	MOVQ	0(SP), R10
	MOVQ	8(SP), R12
	MOVQ	16(SP), AX
	MOVQ	AX, thread_ip(R11)
	MOVQ	32(SP), AX
	MOVQ	AX, thread_flags(R11)
	MOVQ	40(SP), AX
	MOVQ	AX, thread_sp(R11)
	MOVQ	$1, thread_full(R11)
	MOVQ	thread_vector(R11), R8
	SAVEVECTOR
	MOVQ	R11, R9
	MOVQ	·trapVector(SB), R13
	LOADSS
	JMP	enter<>(SB)

notUser:
	CMPB	cpu_mode(GS), $const_modeHalt
	JNE	fault
	CMPQ	0(SP), $32
	JB	fault
	// A halted processor only notes the vector and goes on with interrupts
	// off; the idle loop that halted looks at cpu.pending.
	MOVQ	AX, cpu_scratch(GS)
	MOVQ	0(SP), AX
	BTSQ	AX, cpu_pending(GS)
	MOVQ	cpu_scratch(GS), AX
	ANDQ	$~0x200, 32(SP)
	LEAQ	16(SP), SP
	IRETQ

fault:
	// The kernel itself has faulted: legitimately in copyBytes, or on memory
	// of the program that is mapped on first use; all else is a kernel panic.
	// We are on the stack for faults, above the kernel stack in memory, so
	// the stand-in g serves here too.
	LEAQ	-faultFrame__size+16+40(SP), SP
	SAVEFRAME
	MOVQ	cpu_faultVector(GS), R8
	SAVEVECTOR
	MOVQ	SP, R12
	LOADSS
	KERNELSTATE	// a fault in the entry code itself may find another FS
	MOVQ	·faultVector(SB), DX
	LEAQ	-64(SP), SP
	ANDQ	$~15, SP
	MOVQ	(DX), R13
	MOVQ	R12, cpu_faultSP(GS)
	CALL	R13
	MOVQ	cpu_faultSP(GS), SP
	MOVQ	cpu_faultVector(GS), R8
	RESTOREVECTOR
	RESTOREFRAME
	IRETQ

// fatal is for non-maskable interrupts, double faults and machine checks, which hit
// anything, also the lines above, with any FS and any vector state. Only of the first
// kind some return.
TEXT fatal<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	LEAQ	-faultFrame__size+16+40(SP), SP
	SAVEFRAME
	MOVL	$0xC0000100, CX	// IA32_FS_BASE
	RDMSR
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, faultFrame_fs(SP)
	MOVQ	cpu_nmiVector(GS), R8
	SAVEVECTOR
	MOVQ	SP, R12
	KERNELSTATE
	MOVQ	·fatalVector(SB), DX
	LEAQ	-80(SP), SP
	ANDQ	$~15, SP
	MOVQ	R12, 64(SP)	// behind where the handler spills its argument
	MOVQ	(DX), R13
	CALL	R13
	MOVQ	64(SP), SP
	MOVQ	faultFrame_fs(SP), R8
	WRITEFS
	MOVQ	cpu_nmiVector(GS), R8
	RESTOREVECTOR
	RESTOREFRAME
	IRETQ

// The stubs, 16 bytes each, in the order of their vectors. STUB pushes a zero
// where the processor pushes no error code.
#define STUB(n) \
	PCALIGN	$16; \
	BYTE	$0x6A; BYTE $0; \
	BYTE	$0x68; LONG $(n); \
	JMP	trap<>(SB)
#define STUBE(n) \
	PCALIGN	$16; \
	BYTE	$0x68; LONG $(n); \
	JMP	trap<>(SB)
#define STUBF(n) \
	PCALIGN	$16; \
	BYTE	$0x6A; BYTE $0; \
	BYTE	$0x68; LONG $(n); \
	JMP	fatal<>(SB)
#define STUBFE(n) \
	PCALIGN	$16; \
	BYTE	$0x68; LONG $(n); \
	JMP	fatal<>(SB)
#define STUB8(n) \
	STUB(n); STUB(n+1); STUB(n+2); STUB(n+3); STUB(n+4); STUB(n+5); STUB(n+6); STUB(n+7)
#define STUB32(n) STUB8(n); STUB8(n+8); STUB8(n+16); STUB8(n+24)

TEXT ·vectorStubs(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	STUB(0)
	STUB(1)
	STUBF(2)
	STUB(3)
	STUB(4)
	STUB(5)
	STUB(6)
	STUB(7)
	STUBFE(8)
	STUB(9)
	STUBE(10)
	STUBE(11)
	STUBE(12)
	STUBE(13)
	STUBE(14)
	STUB(15)
	STUB(16)
	STUBE(17)
	STUBF(18)
	STUB(19)
	STUB(20)
	STUBE(21)
	STUB(22)
	STUB(23)
	STUB(24)
	STUB(25)
	STUB(26)
	STUB(27)
	STUB(28)
	STUBE(29)
	STUBE(30)
	STUB(31)
	STUB32(32)
	STUB32(64)
	STUB32(96)
	STUB32(128)
	STUB32(160)
	STUB32(192)
	STUB32(224)
