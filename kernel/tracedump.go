//go:build metal

package kernel

import "unsafe"

// dumped is how many events of each processor a kernel panic prints. All of them
// are in the core, if there is one.
const dumped = 16

// printTrace prints the last events of every processor and how long before the
// panic they were. The others have been stopped; a ring that one was just writing
// may end in an event that is half written.
func printTrace() {
	for i := range numCPUs {
		c := &cpus[i]
		if c.ring == 0 || c.recorded == 0 {
			continue
		}
		printString("last events of processor ")
		printInt(int64(i))
		printString(", microseconds before:\n")
		for n := c.recorded - min(c.recorded, dumped); n < c.recorded; n++ {
			printEvent((*event)(pointer(c.ring + n%ringEvents*unsafe.Sizeof(event{}))))
		}
	}
}

func printEvent(e *event) {
	if e.kind == eventNone || e.kind >= numEvents {
		return
	}
	ago := fixedMul(panicTime-min(e.time, panicTime), clock.mult) // another processor may have gone on a little
	printString("  ")
	printInt(int64(ago / 1000))
	printString(".")
	printInt(int64(ago / 100 % 10))
	printString(" thread ")
	printInt(int64(e.tid))
	printString(" ")
	if e.kind == eventCall {
		printCall(e)
		return
	}
	names := &eventNames[e.kind]
	printString(names[0])
	for i, v := range [...]uint64{uint64(e.what), e.a, e.b} {
		name := names[i+1]
		if name == "" {
			continue
		}
		printString(" ")
		if hexadecimal(name) {
			printString(name[:len(name)-2])
			printHex(v)
		} else {
			printString(name)
			printString(" ")
			printInt(int64(v))
		}
	}
	printString("\n")
}

// hexadecimal reports whether the number behind name is to be printed so.
func hexadecimal(name string) bool { return len(name) > 2 && name[len(name)-2:] == "0x" }

func printCall(e *event) {
	printString("call ")
	if name := callName(uint64(e.what)); name != "" {
		printString(name)
	} else {
		printInt(int64(e.what))
	}
	printString("(")
	printHex(e.a)
	printString(", ...)")
	if e.b == blocked {
		printString(" waits\n")
		return
	}
	printString(" = ")
	printInt(int64(e.b))
	printString("\n")
}
