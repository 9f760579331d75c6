#include "textflag.h"

// func imageBounds() (text, etext, rodata, erodata, types, etypes uintptr)
//
// The symbols are the linker's own: it defines them for every program. Only
// addresses are taken, nothing is read, so a leaf without a frame will do.
TEXT ·imageBounds(SB), NOSPLIT, $0-48
	LEAQ runtime·text(SB), AX
	MOVQ AX, text+0(FP)
	LEAQ runtime·etext(SB), AX
	MOVQ AX, etext+8(FP)
	LEAQ runtime·rodata(SB), AX
	MOVQ AX, rodata+16(FP)
	LEAQ runtime·erodata(SB), AX
	MOVQ AX, erodata+24(FP)
	LEAQ runtime·types(SB), AX
	MOVQ AX, types+32(FP)
	LEAQ runtime·etypes(SB), AX
	MOVQ AX, etypes+40(FP)
	RET
