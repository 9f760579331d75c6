//go:build metal

#include "textflag.h"
#include "layout.h"
#include "code32.h"

// What the 32-bit entry says on the console when the machine cannot run the image.

// lessMemory32 ends a machine that has less memory than the image takes. BX and SI
// are what entry32 has there: what the loader has to say, and the stamp. BX becomes
// the KiB that the loader knows of, DI those that the stamp asks for, if it is there.
TEXT ·lessMemory32(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	CMPL (BX), $0x336EC578          // PVH: hvm_start_info, version 1
	JNE  multiboot
	XORL DX, DX
	CMPL 4(BX), $1
	JCS  counted
	MOVL 40(BX), DI
	MOVL 48(BX), CX
region:
	TESTL CX, CX
	JEQ  counted
	DECL CX
	CMPL 16(DI), $1                 // RAM
	JNE  past
	MOVL 8(DI), AX
	SHRL $10, AX
	ADDL AX, DX
	MOVL 12(DI), AX
	SHLL $22, AX
	ADDL AX, DX
past:
	ADDL $24, DI
	JMP  region
multiboot:
	MOVL 4(BX), DX                  // mem_lower, mem_upper
	ADDL 8(BX), DX
counted:
	LEAL 48(BX), SP                 // the loader's structure, read, is the stack now
	MOVL DX, BX
	XORL DI, DI
	CMPL (SI), STAMP_VERSION
	JNE  noStamp
	MOVL STAMP_MIN_MEMORY(SI), DI
	SHRL $10, DI
	MOVL (STAMP_MIN_MEMORY+4)(SI), AX
	SHLL $22, AX
	ADDL AX, DI
noStamp:
	ADDRESS(·lessText, SI)
	CALL ·say32(SB)
	MOVL BX, AX
	CALL ·number32(SB)
	TESTL DI, DI
	JEQ  sentence
	ADDRESS(·kibOf, SI)
	CALL ·say32(SB)
	MOVL DI, AX
	CALL ·number32(SB)
sentence:
	ADDRESS(·kibEnd, SI)
	CALL ·say32(SB)
	JMP  ·refuse32(SB)

// refuse32 ends the machine.
TEXT ·refuse32(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVL $120, AX                   // ExitRefused
	MOVL $0xF4, DX
	OUTB
halt:
	HLT
	JMP  halt

// say32 prints the text at SI up to a zero. It destroys AX, CX, DX, SI.
TEXT ·say32(SB), NOSPLIT|NOFRAME, $0
say:
	MOVB (SI), AX
	TESTB AX, AX
	JEQ  said
	CALL ·put32(SB)
	INCL SI
	JMP  say
said:
	RET

// number32 prints AX. It destroys AX, CX, DX, SI and needs 11 words of stack.
TEXT ·number32(SB), NOSPLIT|NOFRAME, $0
	XORL SI, SI
digit:
	XORL DX, DX
	MOVL $10, CX
	DIVL CX
	PUSHQ DX
	INCL SI
	TESTL AX, AX
	JNE  digit
print:
	POPQ AX
	ADDL $'0', AX
	CALL ·put32(SB)
	DECL SI
	JNE  print
	RET

// put32 prints the character AX on the first serial port. It destroys CX, DX.
TEXT ·put32(SB), NOSPLIT|NOFRAME, $0
	MOVL AX, CX
	MOVL $0x3FD, DX
ready:
	INB
	TESTB $0x20, AX                 // transmitter empty
	JEQ  ready
	MOVL CX, AX
	MOVL $0x3F8, DX
	OUTB
	RET

// What is said when memory is short stands in the text, which is there if this
// code is: the image's data may lie where there is no memory.
#define FOUR(a, b, c, d) LONG $(a|b<<8|c<<16|d<<24)

TEXT ·lessText(SB), NOSPLIT|NOFRAME, $0
	FOUR('n', 'u', 'o', 's'); FOUR(':', ' ', 't', 'h'); FOUR('e', ' ', 'm', 'a'); FOUR('c', 'h', 'i', 'n')
	FOUR('e', ' ', 'h', 'a'); FOUR('s', ' ', 'l', 'e'); FOUR('s', 's', ' ', 'm'); FOUR('e', 'm', 'o', 'r')
	FOUR('y', ' ', 't', 'h'); FOUR('a', 'n', ' ', 't'); FOUR('h', 'e', ' ', 'i'); FOUR('m', 'a', 'g', 'e')
	FOUR(' ', 'n', 'e', 'e'); FOUR('d', 's', ':', ' '); FOUR(0, 0, 0, 0)

TEXT ·kibOf(SB), NOSPLIT|NOFRAME, $0
	FOUR(' ', 'K', 'i', 'B'); FOUR(' ', 'o', 'f', ' '); FOUR(0, 0, 0, 0)

TEXT ·kibEnd(SB), NOSPLIT|NOFRAME, $0
	FOUR(' ', 'K', 'i', 'B'); FOUR('\r', '\n', 0, 0)
