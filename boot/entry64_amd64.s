//go:build metal

#include "textflag.h"
#include "layout.h"

// The 64-bit entry, where all ways of booting meet. It arrives in long mode,
// interrupts off, running at its physical address, with physical memory below
// 4 GiB mapped at DIRECT_MAP and the loader's values stored.
//
// The image runs at its linked address wherever it was loaded, and that
// address range may overlap the one where it lies. So the code first moves up
// to the direct map, where addresses mean physical ones, gives the linked
// addresses their own page tables there, and then moves to them.
//
// It ends with a jump to kernel·start with: CS and SS from ·gdt, a stack of
// STACK_SIZE bytes (SP 16-byte aligned), CR0, CR4, EFER and XCR0 as EnableFeatures
// sets them, the direct map of the first 4 GiB, the program at its linked
// address, the rest of 0-4 GiB identity-mapped, page 0 not mapped. Nothing of
// the Go runtime is set up: no g, no TLS, X15 is not zero.
//
// No Go frame exists below; NOSPLIT because there is no g to check a stack
// against.
TEXT ·entry64(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	LEAQ ·mapImage(SB), AX
	MOVQ DIRECT_MAP, BX
	ADDQ BX, AX
	JMP  AX

// mapImage runs in the direct map: LEAQ of a symbol is DIRECT_MAP plus its
// physical address. BX holds DIRECT_MAP.
TEXT ·mapImage(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	// R8 = physical minus linked address of the image.
	LEAQ ·stamp(SB), SI
	MOVQ SI, R8
	SUBQ BX, R8
	SUBQ STAMP_SELF(SI), R8
	MOVQ R8, ·loadOffset(SB)

	LEAQ ·tables(SB), DI
	ADDQ $0xFFF, DI
	ANDQ $~0xFFF, DI

	// The directory of the first GiB: R10 counts its entries, AX has the address that
	// they begin at. Where the image is linked, and around page 0, they are tables of
	// 4 KiB pages; elsewhere they are 2 MiB pages as before.
	XORL R10, R10
	XORL AX, AX
directory:
	MOVQ PD_DIRECT(DI)(R10*8), DX
	LEAQ 0x200000(AX), R11
	TESTQ AX, AX
	JEQ  small
	CMPQ R11, STAMP_START(SI)
	JLS  store
	CMPQ AX, STAMP_END(SI)
	JCC  store

	// A table. What is not the image stays identity-mapped. Page 0 is left out, so
	// that a nil pointer faults.
small:
	MOVQ R10, R9
	SHLQ $12, R9
	LEAQ PT_IMAGE(DI)(R9*1), R9
	MOVQ R9, R12
	SUBQ BX, R12
	ORQ  $PRESENT_WRITE, R12
page:
	MOVQ AX, DX
	CMPQ AX, STAMP_START(SI)
	JCS  identity
	CMPQ AX, STAMP_END(SI)
	JCC  identity
	ADDQ R8, DX
identity:
	ORQ  $PRESENT_WRITE, DX
	TESTQ AX, AX
	CMOVQEQ AX, DX
	MOVQ DX, (R9)
	ADDQ $8, R9
	ADDQ $0x1000, AX
	CMPQ AX, R11
	JNE  page
	MOVQ R12, DX
store:
	MOVQ DX, PD_IMAGE(DI)(R10*8)
	MOVQ R11, AX
	INCQ R10
	CMPQ R10, $512
	JNE  directory

	LEAQ (PD_IMAGE+PRESENT_WRITE)(DI), AX
	SUBQ BX, AX
	MOVQ AX, PDPT_IDENTITY(DI)
	MOVQ CR3, AX
	MOVQ AX, CR3                    // forget the old translations

	LEAQ ·atLinkedAddress(SB), AX
	SUBQ BX, AX
	SUBQ R8, AX
	JMP  AX

TEXT ·atLinkedAddress(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	LEAQ ·stack+STACK_SIZE(SB), SP
	ANDQ $~15, SP
	LGDT ·gdtDescriptor(SB)
	MOVL DATA64, AX
	MOVW AX, DS
	MOVW AX, ES
	MOVW AX, SS
	XORL AX, AX
	MOVW AX, FS
	MOVW AX, GS
	CALL ·EnableFeatures(SB)
	JMP  nuos∕kernel·start(SB)
