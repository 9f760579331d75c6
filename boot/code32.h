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
