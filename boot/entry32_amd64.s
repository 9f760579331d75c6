//go:build metal

#include "textflag.h"
#include "layout.h"

// The 32-bit entry of PVH and Multiboot loaders. Both arrive in protected mode
// without paging, flat segments, interrupts off, EBX pointing to what the
// loader has to say (hvm_start_info, or the Multiboot information with EAX =
// 0x2BADB002). There is no stack.
//
// This is 32-bit code written with a 64-bit assembler. It uses only
// instructions whose bytes mean the same in both modes: 32-bit operands, the
// eight old registers, no absolute address. A push or pop, written with its
// 64-bit name, moves four bytes here. An operand sym(SB) is assembled
// relative to RIP; a 32-bit processor takes the same bytes for an absolute
// address, so that LEAL sym(SB) yields the distance from the end of the LEAL
// to the symbol. ADDRESS adds where that end really is. Therefore nothing
// here depends on where the image was loaded.
//
// ADDRESS puts the physical address of sym in reg. It needs four bytes of
// stack and destroys CX.
#define ADDRESS(sym, reg) \
	BYTE $0xE8; LONG $0;     /* CALL the next instruction */ \
	POPQ CX;                 \
	LEAL sym(SB), reg;       \
	LEAL 7(CX)(reg*1), reg   /* 7: POPQ and LEAL */

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
	ADDRESS(·stack, SI)
	MOVL DI, (BX)
	LEAL STACK_SIZE(SI), SP

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
next:
	MOVB (SI), AX
	TESTB AX, AX
	JEQ  exit
	MOVL AX, CX
	MOVL $0x3FD, DX
ready:
	INB
	TESTB $0x20, AX                 // transmitter empty
	JEQ  ready
	MOVL CX, AX
	MOVL $0x3F8, DX
	OUTB
	INCL SI
	JMP  next
exit:
	MOVL $120, AX                   // ExitRefused
	MOVL $0xF4, DX
	OUTB
halt:
	HLT
	JMP  halt

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
