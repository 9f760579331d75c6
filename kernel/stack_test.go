package kernel

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"nuos/boot"
)

// TestKernelCode follows the calls of the linked program from the functions that the entry
// code calls. Whatever they reach is code of the kernel's rooms or one of few functions that
// need neither an m nor a heap: all that the compiler adds for allocation, write
// barriers, maps, defer or interfaces is none of these. And the deepest way leaves the
// guard of its stack alone, so that nobody asks for more stack, which a stand-in g could
// not give.
func TestKernelCode(t *testing.T) {
	g := newCallGraph(t, "nuos/images/echo")
	for _, part := range []struct {
		name  string
		rules rules
		roots map[string]int // with the bytes of their stack
	}{
		{"handlers", handlerRules, map[string]int{
			"nuos/kernel.handleSyscall": kernelStack,
			"nuos/kernel.handleTrap":    kernelStack,
			"nuos/kernel.handleFault":   faultStack,
			"nuos/kernel.handleFatal":   min(nmiStack, doubleStack, checkStack),
		}},
		{"beginnings", beginningRules(), map[string]int{
			"nuos/kernel.bootProcessor":  boot.StackSize,
			"nuos/kernel.otherProcessor": kernelStack,
		}},
	} {
		t.Run(part.name, func(t *testing.T) {
			s := search{callGraph: g, rules: part.rules, t: t, seen: map[*function]*visit{}}
			for root, size := range part.roots {
				way := s.deepest(root)
				t.Logf("%s: %d of %d bytes, by %s", root, way.depth, size, strings.Join(way.names, ", "))
				if way.depth+stackGuard > size {
					t.Errorf("%s needs %d bytes of stack, of %d less the guard of %d: %s",
						root, way.depth, size, stackGuard, strings.Join(way.names, ", "))
				}
			}
		})
	}
}

// handlerRules say what a handler may reach.
var handlerRules = rules{
	through: map[string]*regexp.Regexp{
		".Call(":       regexp.MustCompile(`^nuos/kernel/net\.call$`),
		".write(r)":    regexp.MustCompile(`^nuos/kernel\.(\(\*report\)\..*|init\.func\d+|glob\.\.func\d+)$`),
		"step(r, ":     regexp.MustCompile(`^nuos/kernel/net\.\(\*ring\)\.(get|put)User$`),
		".Alloc(":      regexp.MustCompile(`^nuos/kernel\.allocPage$`),
		".Free(":       regexp.MustCompile(`^nuos/kernel\.freeFrames$`),
		".Copy(":       regexp.MustCompile(`^nuos/kernel\.copyBytes\.abi0$`),
		".Now(":        regexp.MustCompile(`^nuos/kernel\.wallTime$`),
		".Refresh(":    regexp.MustCompile(`^nuos/kernel\.refreshFolder$`),
		".Queued(":     regexp.MustCompile(`^nuos/kernel\.eventsQueued$`),
		".Jump(":       regexp.MustCompile(`^nuos/kernel\.jump$`),
		".Notify(":     regexp.MustCompile(`^nuos/kernel\.notifyUnix$`),
		".Hold(":       regexp.MustCompile(`^nuos/kernel\.holdFile$`),
		".Install(":    regexp.MustCompile(`^nuos/kernel\.installFile$`),
		".Release(":    regexp.MustCompile(`^nuos/kernel\.releaseHeld$`),
		".Bind(":       regexp.MustCompile(`^nuos/kernel\.bindNode$`),
		".Find(":       regexp.MustCompile(`^nuos/kernel\.findNode$`),
		".Unbind(":     regexp.MustCompile(`^nuos/kernel\.unbindNode$`),
		"hooks.Flush(": regexp.MustCompile(`^nuos/kernel\.flushAll$`),
		"Relax()":      regexp.MustCompile(`^nuos/kernel\.relax$`),
		"hooks.Fatal(": regexp.MustCompile(`^nuos/kernel\.memoryFatal$`),
	},
	loops: map[string]int{
		"nuos/kernel.epollNotify":              6, // epolls watch each other to a depth of maxNests
		"nuos/kernel.(*file).anyReady":         6,
		"nuos/kernel.(*file).nests":            6,
		"nuos/kernel.(*file).height":           6,
		"nuos/kernel.(*cpu).closeFile":         2, // a file in a message in a file that is closed waits for its turn
		"nuos/kernel.refreshFolder":            2, // it asks for entries behind those that have the folder refreshed
		"nuos/kernel/ramfs.Node.Drop":          3, // of folders below /proc/self/task
		"nuos/kernel/ramfs.(*inode).dropBelow": 8, // levels of a tree of 2^52 pages
		"nuos/mm.(*tables).unmapIn":            4, // levels of page tables
		"nuos/mm.(*tables).protectIn":          4,
	},
	leaf: regexp.MustCompile(`^runtime\.(mem(move|equal|clrNoHeapPointers)|duff(zero|copy).*|findfunc|\(\*Func\)\.Entry|` +
		`panic\w+|gopanic|morestack_noctxt)(\.abi0)?$|` +
		`^math/bits\.|^type:\.eq\.nuos/|^github\.com/usbarmory/tamago/soc/intel/uart\.`),
	// What goroutines and handlers call looks whether it is in a handler (inHandler).
	except: regexp.MustCompile(`^nuos/kernel\.(SetReady|ClearReady|SignalEvent|CompleteCall) syscall\.RawSyscall$`),
}

// beginningRules say what may be reached before the Go runtime starts: write barriers too,
// which look at a flag that is not set then.
func beginningRules() rules {
	r := handlerRules
	r.through = maps.Clone(r.through)
	for key, name := range map[string]string{
		"mem(": `^nuos/boot\.EarlyMemory$`,
		"use(": `^nuos/mm\.setRoot(\.abi0)?$`,
	} {
		r.through[key] = regexp.MustCompile(name)
	}
	r.leaf = regexp.MustCompile(r.leaf.String() + `|^runtime\.(gcWriteBarrier\d|wbMove)$|^resume$`)
	return r
}
