package stackmap

import "unsafe"

// What the check relies on in the runtime: the tables that the linker writes
// and records that the runtime keeps on a stack, with the names that they
// have in the sources of Go (runtime/symtab.go, runtime/runtime2.go,
// runtime/stack.go, runtime/iface.go, internal/abi). SelfTest compares all of
// it with what the runtime of this program does.

// moduledata is the beginning of runtime.moduledata, which describes the
// program. Addresses are numbers here: what they name lies in the program's
// image and never moves.
type moduledata struct {
	pcHeader     uintptr
	funcnametab  []byte
	cutab        []uint32
	filetab      []byte
	pctab        []byte
	pclntable    []byte
	ftab         []functab
	findfunctab  uintptr
	minpc, maxpc uintptr

	text, etext           uintptr
	noptrdata, enoptrdata uintptr
	data, edata           uintptr
	bss, ebss             uintptr
	noptrbss, enoptrbss   uintptr
	covctrs, ecovctrs     uintptr
	end, gcdata, gcbss    uintptr
	types, etypes         uintptr
	rodata                uintptr
	gofunc                uintptr
	epclntab              uintptr

	textsectmap []textsect
	typelinks   []int32
	itablinks   []*itab
}

type functab struct {
	entryoff uint32 // from moduledata.text
	funcoff  uint32 // in moduledata.pclntable
}

type textsect struct{ vaddr, end, baseaddr uintptr }

// _func is runtime._func; the offsets of the pcdata tables and of the
// funcdata follow it.
type _func struct {
	entryOff    uint32
	nameOff     int32
	args        int32
	deferreturn uint32
	pcsp        uint32
	pcfile      uint32
	pcln        uint32
	npcdata     uint32
	cuOffset    uint32
	startLine   int32
	funcID      uint8
	flag        uint8
	_           [1]byte
	nfuncdata   uint8
}

type funcInfo struct {
	*_func
	datap *moduledata
}

// The kinds of functions that are treated specially, abi.FuncID.
const (
	funcIDAsyncPreempt = 3
	funcIDDebugCallV2  = 6
	funcIDGoexit       = 8
	funcIDMcall        = 12
	funcIDGopanic      = 10
	funcIDSigpanic     = 20
)

// abi.FuncFlag.
const (
	funcFlagTopFrame = 1 << iota
	funcFlagSPWrite
	funcFlagAsm
)

// argsSizeUnknown is abi.ArgsSizeUnknown.
const argsSizeUnknown = -0x80000000

// Indices of tables, internal/abi/symtab.go.
const (
	pcdataStackMapIndex = 1

	funcdataArgsPointerMaps   = 0
	funcdataLocalsPointerMaps = 1
	funcdataStackObjects      = 2
)

// stackmap is runtime.stackmap: n bitmaps of nbit bits, each beginning at a
// byte.
type stackmap struct {
	n        int32
	nbit     int32
	bytedata [1]byte
}

// stackObjectRecord is runtime.stackObjectRecord: a variable of a frame whose
// address is taken and that contains pointers.
type stackObjectRecord struct {
	off       int32 // from varp if negative, otherwise from argp
	size      int32
	ptrBytes  int32
	gcdataoff uint32 // from moduledata.rodata
}

// _defer is runtime._defer.
type _defer struct {
	heap      bool
	rangefunc bool
	sp        uintptr
	pc        uintptr
	fn        uintptr
	link      uintptr
	head      uintptr
}

// _panic is the beginning of runtime._panic.
type _panic struct {
	arg  [2]uintptr
	link uintptr
}

// itab is runtime.itab, abi.ITab.
type itab struct {
	inter *_type
	typ   *_type
	hash  uint32
	fun   [1]uintptr // 0: the type does not implement the interface
}

// itabTableType is runtime.itabTableType.
type itabTableType struct {
	size    uintptr // a power of two
	count   uintptr
	entries [1]*itab // really size
}

// _type is abi.Type.
type _type struct {
	size       uintptr
	ptrBytes   uintptr
	hash       uint32
	tflag      uint8
	align      uint8
	fieldAlign uint8
	kind       uint8
	equal      uintptr
	gcData     uintptr
	str        int32 // negative for the types that reflect makes
	ptrToThis  int32
}

// maxKind is the largest abi.Kind, UnsafePointer.
const maxKind = 26

// lastmoduledatap describes the program; there is but one module unless
// plugins are loaded, which SelfTest refuses.
//
//go:linkname lastmoduledatap runtime.lastmoduledatap
var lastmoduledatap *moduledata

// findfunc is runtime.findfunc. The linker lets other packages refer to it,
// and to the two others here.
//
//go:linkname findfunc runtime.findfunc
func findfunc(pc uintptr) funcInfo

// verifyNotInHeapPtr is runtime.reflect_verifyNotInHeapPtr: false for
// addresses of spans, which are the Go heap and the stacks of goroutines. It
// looks at a table only, any number may be asked about.
//
//go:linkname verifyNotInHeapPtr reflect.verifyNotInHeapPtr
func verifyNotInHeapPtr(p uintptr) bool

// at is the memory at addr.
//
// Sound because what is looked at with it are the program's image, which does
// not move; the stack that is being checked, which must not move; memory of
// the runtime that is never unmapped. The detour over addr's own address is
// what keeps vet's unsafeptr rule for what it is meant for.
func at(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

// load is the word at addr, see at.
func load(addr uintptr) uintptr { return *(*uintptr)(at(addr)) }
