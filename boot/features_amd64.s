//go:build metal

#include "textflag.h"

// func EnableFeatures()
//
// Every processor runs this once in 64-bit mode, before any Go code: it turns
// on what Go code expects of a processor that Linux gave it, as far as CPUID
// says that it exists. It is NOSPLIT and takes no g because it runs before
// there is one; it uses no stack. Destroys AX, BX, CX, DX, SI.
TEXT ·EnableFeatures(SB), NOSPLIT|NOFRAME, $0
	// CR0: MP and NE set, EM and TS clear, WP set (SDM vol. 3, 2.5).
	MOVQ CR0, AX
	ANDQ $~0xC, AX
	ORQ  $0x10022, AX
	MOVQ AX, CR0

	// EFER: SCE always (SYSCALL exists in long mode), NXE if CPUID
	// 8000_0001 EDX bit 20 says so.
	MOVL $0x80000001, AX
	CPUID
	MOVL $1, SI
	BTL  $20, DX
	JCC  efer
	ORL  $0x800, SI
efer:
	MOVL $0xC0000080, CX
	RDMSR
	ORL  SI, AX
	WRMSR

	// CR4: OSFXSR and OSXMMEXCPT always (SSE2 is part of AMD64).
	MOVQ CR4, SI
	ORQ  $0x600, SI
	XORL AX, AX
	CPUID
	CMPL AX, $7
	JCS  cr4
	MOVL $7, AX
	XORL CX, CX
	CPUID
	BTL  $0, BX
	JCC  xsave
	ORQ  $0x10000, SI               // FSGSBASE
xsave:
	MOVL $1, AX
	XORL CX, CX
	CPUID
	BTL  $26, CX
	JCC  cr4
	// QEMU's emulator takes OSXSAVE for a reserved bit, and the write to CR4
	// never ends, if no extension of XSAVE (leaf 0DH, sub-leaf 1) is there. In
	// a virtual machine (bit 31) that is done without.
	BTL  $31, CX
	JCC  osxsave
	XORL AX, AX
	CPUID
	CMPL AX, $0xD
	JCS  cr4
	MOVL $0xD, AX
	MOVL $1, CX
	CPUID
	TESTL AX, AX
	JEQ  cr4
osxsave:
	ORQ  $0x40000, SI               // OSXSAVE
cr4:
	MOVQ SI, CR4
	BYTE $0xDB; BYTE $0xE3          // FNINIT

	// XCR0: x87, SSE, AVX (bits 0-2); AVX-512 only with its three parts
	// (bits 5-7) together (SDM vol. 1, 13.3).
	BTQ  $18, SI
	JCC  done
	MOVL $0xD, AX
	XORL CX, CX
	CPUID
	MOVL AX, BX
	ANDL $0xE0, BX
	CMPL BX, $0xE0
	JEQ  avx512
	ANDL $7, AX
avx512:
	ANDL $0xE7, AX
	XORL DX, DX
	XORL CX, CX
	XSETBV
done:
	RET
