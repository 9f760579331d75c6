package kernel

// Sizes of the stacks of a processor, in bytes, which lie in this order, upwards, with
// pages between them that are not mapped. The kernel stack is lowest so that the stack checks of code
// on the others always pass: they are entered with the same stand-in g. A test works out
// how much of each is needed.
const (
	kernelStack = 32 << 10
	irqStack    = 4 << 10
	faultStack  = 12 << 10
	nmiStack    = 8 << 10
	doubleStack = 4 << 10
	checkStack  = 4 << 10

	// stackGuard is how far above its low end Go lets a stack pointer come
	// before it calls for more stack (internal/abi.StackNosplitBase and some).
	stackGuard = 928
)
