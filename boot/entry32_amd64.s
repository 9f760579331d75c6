//go:build metal

#include "textflag.h"
#include "layout.h"
#include "code32.h"

// The 32-bit entry of PVH and Multiboot loaders. Both arrive in protected mode
// without paging, flat segments, interrupts off, EBX pointing to what the
// loader has to say (hvm_start_info, or the Multiboot information with EAX =
// 0x2BADB002). There is no stack. code32.h says how such code is written.
//
// entry32 never returns, so frame pointer and stack maps do not matter; no Go
// code is on the stack.
TEXT ·entry32(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	CLI
	CLD
	MOVL AX, DX

	// The first ADDRESS borrows the first word of the loader's structure,
	// the only memory known to be RAM, as its stack.
	MOVL (BX), DI
	LEAL 4(BX), SP
	ADDRESS(·stack, BP)
	ADDRESS(·stamp, SI)
	MOVL DI, (BX)

	// A loader may not look whether there is memory for all of the image. What
	// is written where there is none cannot be read back; the last word of the
	// zeroed data is tried, and before it the stamp, which says where that is.
	CMPL (SI), STAMP_VERSION
	JNE  less
	MOVL STAMP_END(SI), DI
	SUBL STAMP_SELF(SI), DI
	MOVL $0x6E756F73, -4(DI)(SI*1)
	CMPL -4(DI)(SI*1), $0x6E756F73
	JNE  less
	MOVL $0, -4(DI)(SI*1)
	LEAL STACK_SIZE(BP), SP

	ADDRESS(·loaderMagic, SI)
	MOVL DX, (SI)
	ADDRESS(·loaderInfo, SI)
	MOVL BX, (SI)

	// Long mode: CPUID 8000_0001 EDX bit 29 (Intel SDM vol. 2, CPUID).
	MOVL $0x80000000, AX
	CPUID
	CMPL AX, $0x80000001
	JCS  refuse
	MOVL $0x80000001, AX
	CPUID
	BTL  $29, DX
	JCC  refuse

	// Tables (SDM vol. 3, 4.5): 0-4 GiB in pages of 2 MiB, at 0 and at
	// DIRECT_MAP. The upper halves of all entries are zero already.
	ADDRESS(·tables, DI)
	ADDL $0xFFF, DI
	ANDL $0xFFFFF000, DI

	MOVL $PRESENT_WRITE_2M, AX
	XORL CX, CX
pages:
	MOVL AX, PD_DIRECT(DI)(CX*8)
	ADDL $0x200000, AX
	INCL CX
	CMPL CX, $2048
	JNE  pages

	LEAL (PD_DIRECT+PRESENT_WRITE)(DI), AX
	XORL CX, CX
directories:
	MOVL AX, PDPT_IDENTITY(DI)(CX*8)
	MOVL AX, PDPT_DIRECT(DI)(CX*8)
	ADDL $0x1000, AX
	INCL CX
	CMPL CX, $4
	JNE  directories

	LEAL (PDPT_IDENTITY+PRESENT_WRITE)(DI), AX
	MOVL AX, PML4(DI)
	LEAL (PDPT_DIRECT+PRESENT_WRITE)(DI), AX
	MOVL AX, (PML4+DIRECT_SLOT*8)(DI)

	// Long mode is entered in the order of SDM vol. 3, 10.8.5: CR4.PAE, CR3,
	// EFER.LME, CR0.PG, a far jump to a 64-bit segment.
	MOVQ CR4, AX
	ORL  $0x20, AX
	MOVQ AX, CR4
	MOVQ DI, CR3
	MOVL $0xC0000080, CX
	RDMSR
	ORL  $0x100, AX
	WRMSR
	MOVQ CR0, AX
	ORL  $0x80000001, AX
	MOVQ AX, CR0

	ADDRESS(·gdt, SI)
	SUBL $8, SP
	MOVW $23, 2(SP)
	MOVL SI, 4(SP)
	LGDT 2(SP)
	ADDRESS(·entry64, SI)
	PUSHQ CODE64
	PUSHQ SI
	BYTE $0xCB                      // far return: four bytes EIP, four bytes CS

refuse:
	ADDRESS(·noLongMode, SI)
	CALL ·say32(SB)
	JMP  ·refuse32(SB)

less:
	JMP  ·lessMemory32(SB)

DATA ·noLongMode+0(SB)/8, $"nuos: th"
DATA ·noLongMode+8(SB)/8, $"is proce"
DATA ·noLongMode+16(SB)/8, $"ssor has"
DATA ·noLongMode+24(SB)/8, $" no 64-b"
DATA ·noLongMode+32(SB)/8, $"it mode\n"
DATA ·noLongMode+40(SB)/2, $"\r\x00"
GLOBL ·noLongMode(SB), RODATA|NOPTR, $42

// A null descriptor, 64-bit code, data.
DATA ·gdt+0(SB)/8, $0
DATA ·gdt+8(SB)/8, $0x00AF9B000000FFFF
DATA ·gdt+16(SB)/8, $0x00CF93000000FFFF
GLOBL ·gdt(SB), NOPTR, $24

// The descriptor's base is the linked address, used once that is mapped.
DATA ·gdtDescriptor+0(SB)/2, $23
DATA ·gdtDescriptor+2(SB)/8, $·gdt(SB)
GLOBL ·gdtDescriptor(SB), NOPTR, $10

GLOBL ·tables(SB), NOPTR, $TABLES_SIZE
GLOBL ·stack(SB), NOPTR, $STACK_SIZE
