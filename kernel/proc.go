//go:build metal

package kernel

import (
	"syscall"
	"unsafe"

	"nuos/kernel/ramfs"
	"nuos/kernel/unix"
	"nuos/mm"
)

// Files whose content is made when they are opened: what the Go runtime and
// libraries read below /proc and /sys. Whoever opens one reads what was the case
// then. None can be written. What they tell is in procfiles.go.

// generated are these files; a node's device number is an index and 1.
var generated = [...]struct {
	name  string
	write func(*report)
}{
	{"/proc/cpuinfo", (*report).cpuinfo},
	{"/proc/filesystems", func(r *report) { r.text("nodev\ttmpfs\n") }},
	{"/proc/loadavg", (*report).loadavg},
	{"/proc/meminfo", (*report).meminfo},
	{"/proc/mounts", (*report).mounts},
	{"/proc/stat", (*report).stat},
	{"/proc/uptime", (*report).uptime},
	{"/proc/version", func(r *report) { r.text("Linux version " + kernelRelease + " " + kernelVersion + "\n") }},
	{"/proc/sys/fs/file-max", func(r *report) { r.line(maxFiles) }},
	{"/proc/sys/fs/inotify/max_queued_events", func(r *report) { r.line(ramfs.MaxQueuedEvents) }},
	{"/proc/sys/fs/inotify/max_user_instances", func(r *report) { r.line(maxFiles) }},
	{"/proc/sys/fs/inotify/max_user_watches", func(r *report) { r.line(1 << 20) }}, // memory is the limit
	{"/proc/sys/fs/pipe-max-size", func(r *report) { r.line(pipeSize) }},
	{"/proc/sys/kernel/hostname", func(r *report) { r.chars(hostName[:]); r.text("\n") }},
	{"/proc/sys/kernel/osrelease", func(r *report) { r.text(kernelRelease + "\n") }},
	{"/proc/sys/kernel/ostype", func(r *report) { r.text("Linux\n") }},
	{"/proc/sys/kernel/pid_max", func(r *report) { r.line(maxThreads) }},
	{"/proc/sys/kernel/random/boot_id", func(r *report) { r.uuid(bootID) }},
	{"/proc/sys/kernel/random/uuid", func(r *report) { r.uuid([2]uint64{randomWord(), randomWord()}) }},
	{"/proc/sys/kernel/threads-max", func(r *report) { r.line(maxThreads) }},
	{"/proc/sys/net/core/somaxconn", func(r *report) { r.line(MaxBacklog) }},
	{"/proc/sys/net/unix/max_dgram_qlen", func(r *report) { r.line(unix.MaxQueue) }},
	{"/proc/sys/vm/overcommit_memory", func(r *report) { r.line(0) }}, // only what can never be had is refused
	{"/sys/devices/system/clocksource/clocksource0/current_clocksource", (*report).currentClocksource},
	{"/sys/devices/system/cpu/online", (*report).processors},
	{"/sys/devices/system/cpu/possible", (*report).processors},
	{"/sys/devices/system/cpu/present", (*report).processors},
	// Large pages come by themselves; nobody can ask for them.
	{"/sys/kernel/mm/transparent_hugepage/enabled", func(r *report) { r.text("[always] madvise never\n") }},
	{"/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", func(r *report) { r.line(mm.LargePage) }},
	{processFolder + "/auxv", (*report).auxv},
	{processFolder + "/cgroup", func(*report) {}}, // no hierarchy is mounted
	{processFolder + "/cmdline", (*report).cmdline},
	{processFolder + "/environ", (*report).environ},
	{processFolder + "/limits", (*report).limits},
	{processFolder + "/maps", (*report).maps},
	{processFolder + "/mountinfo", func(r *report) { r.text("1 0 0:1 / / rw - tmpfs none rw\n") }},
	{processFolder + "/mounts", (*report).mounts},
	{processFolder + "/statm", (*report).statm},
	// Those of each thread, for which the name is only the end of one.
	{"comm", (*report).comm},
	{"stat", (*report).threadStat},
	{"status", (*report).status},
}

// processFolder is where /proc/self leads.
const processFolder = "/proc/1"

// bootID names this start of the machine.
var bootID [2]uint64

// startProc makes the files. It is called before the Go runtime starts.
func startProc() {
	bootID = [2]uint64{randomWord(), randomWord()}
	for i := range generated {
		if name := generated[i].name; name[0] == '/' {
			makeFoldersTo(name)
			find(name)
			walk.MakeDevice(syscall.S_IFREG|0o444, uint32(i)+1)
			continue
		}
		addThreadFile(processFolder, i)
	}
	makeLiveFolders()
}

// makeFoldersTo makes the folders that lead to a path.
func makeFoldersTo(path string) {
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			makeFolder(path[:i])
		}
	}
}

func makeLink(name, target string) {
	find(name)
	walk.MakeLink(unsafe.Slice(unsafe.StringData(target), len(target)))
}

// openGenerated is open(2) of such a file. What is opened has no name, and the
// attributes of n.
func openGenerated(n ramfs.Node, flags uint32) uint64 {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return errno(syscall.EACCES)
	}
	c, e := n.Copy()
	if e != 0 {
		return errno(e)
	}
	r := &theReport
	*r = report{node: c, thread: int32(*n.Object())}
	generated[n.Device()-1].write(r)
	r.flush()
	fd := errno(syscall.ENOMEM)
	if !r.failed {
		fd = openHeld(c, fileRegular, flags)
	}
	c.Release()
	return fd
}

// report is the content of a file in the making. There is one, because a
// function in a table might keep what it is given, as far as the compiler knows.
type report struct {
	node   ramfs.Node
	thread int32 // that the file is about
	size   int64 // without what is in buffer
	buffer [512]byte
	used   int
	failed bool
}

var theReport report

func (r *report) flush() {
	n, e := r.node.Write(r.size, uintptr(unsafe.Pointer(&r.buffer)), uintptr(r.used))
	if e != 0 || int(n) < r.used {
		r.failed = true
	}
	r.size += int64(n)
	r.used = 0
}

// byte, text and bytes are not inlined: reports have hundreds of calls, and time for them.
//
//go:noinline
func (r *report) byte(b byte) {
	if r.used == len(r.buffer) {
		r.flush()
	}
	r.buffer[r.used] = b
	r.used++
}

//go:noinline
func (r *report) text(s string) {
	for i := range len(s) {
		r.byte(s[i])
	}
}

// chars writes a C string.
func (r *report) chars(b []byte) {
	for _, c := range b {
		if c == 0 {
			return
		}
		r.byte(c)
	}
}

//go:noinline
func (r *report) bytes(b []byte) {
	for _, c := range b {
		r.byte(c)
	}
}

// number writes v in a base, with zeros in front if it has less than width digits.
func (r *report) number(v uint64, base uint64, width int) {
	var digits [20]byte
	i := len(digits)
	for v != 0 || len(digits)-i < max(width, 1) {
		i--
		digits[i] = "0123456789abcdef"[v%base]
		v /= base
	}
	r.bytes(digits[i:])
}

func (r *report) decimal(v uint64) { r.number(v, 10, 1) }

func (r *report) line(v uint64) {
	r.decimal(v)
	r.byte('\n')
}

// list writes words with a byte after each.
func (r *report) list(after byte, words ...uint64) {
	for _, w := range words {
		r.decimal(w)
		r.byte(after)
	}
}

// field writes a line of a table: name, tab, value, unit.
func (r *report) field(name string, v uint64, unit string) {
	r.text(name)
	r.text(":\t")
	r.decimal(v)
	r.text(unit)
	r.byte('\n')
}

// uuid writes a random UUID (RFC 9562, version 4).
func (r *report) uuid(random [2]uint64) {
	high := random[0]&^0xF000 | 0x4000
	low := random[1]&^(3<<62) | 1<<63
	r.number(high>>32, 16, 8)
	r.byte('-')
	r.number(high>>16&0xFFFF, 16, 4)
	r.byte('-')
	r.number(high&0xFFFF, 16, 4)
	r.byte('-')
	r.number(low>>48, 16, 4)
	r.byte('-')
	r.number(low&(1<<48-1), 16, 12)
	r.byte('\n')
}
