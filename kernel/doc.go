// Package kernel is Linux for exactly one process, in the same ring as the
// process: processors, traps, threads, futexes, timers, signals, files and the
// system calls that the Go runtime and standard library make. Importing it makes
// a program an image; hosted it is only the contract with the socket code.
//
// # How it works
//
// The program is built by the stock Go toolchain for linux/amd64. Its SYSCALL
// instructions land on syscallEntry (entry_amd64.s), which saves the registers
// in the thread's frame, changes to the processor's kernel stack and calls
// handleSyscall; interrupts and faults come the same way to handleTrap. A
// handler returns the thread to resume. There is no kernel stack per thread: a
// call that has to wait leaves a note in its thread and whoever wakes the thread
// finishes the call (thread.go).
//
// In reading order: boot.go (what happens before the program), cpu.go and
// entry_amd64.s (processors and the way in and out), trap.go, syscall.go,
// thread.go, sched.go, idle.go, timer.go, clock.go, clockwatch.go, futex.go, signal.go, signalframe.go, file.go,
// filesystem.go, open.go, names.go, stat.go, filemap.go, epoll.go, sockets.go,
// sockettimeout.go, unixsockets.go, poll.go, transfer.go, splice.go, timerfd.go, inotify.go, trace.go.
//
// # Invariants
//
//   - Handlers run with interrupts off, on a processor's own stack, with a
//     stand-in g that has no m. They do not allocate, store pointers where a
//     write barrier would be needed, use maps, defer or panic, and never wait.
//     Threads, files and the rest refer to each other by index. TestKernelCode
//     follows the calls of the linked program for what violates this, and for
//     how much stack they take.
//   - One lock, bigLock, guards everything that does not say otherwise. What
//     wakes, stops and preempts threads does without it: futexes, sleeps, signals
//     and the run queues have locks of their own; sched.go has the order. No
//     handler waits for anything else with a lock than for other processors to flush
//     translations, which they do also while they wait for the lock.
//   - A thread has one owner, who alone touches it: a processor, a run queue, or
//     who has ended its wait (package sched).
//   - Hardware never pushes on a program's stack: every vector has an entry in
//     the interrupt stack table.
//   - A thread that wakes up runs at once, on an idle processor or in the place
//     of the thread that has had most (package sched).
//   - Memory of the program is touched with copyBytes alone, for which a wild
//     address is a result and not a fault.
//   - A call that the kernel does not have returns ENOSYS, is counted, and is
//     named once on the console.
//
// # Caveats
//
//   - System calls do not preserve vector registers: Go's do not need it.
//     Interrupts and signals do.
//   - The time stamp counters of all processors must run together, at one rate, on machines
//     that have neither HPET nor ACPI timer. Where there is one, time goes by that when
//     they do not (clockwatch.go), but a local timer that uses the TSC goes on doing so.
//   - Program and kernel trust each other. A program that writes through a wild
//     pointer can hit the kernel's data; its code and constants it cannot.
//   - There is no signalfd, pidfd, membarrier or io_uring, and timer_create only
//     makes the timers of profiles: programs get ENOSYS or EINVAL and do without.
//     Files have no extended attributes, and inotify tells nothing of FIFOs and
//     devices that are read and written. What the kernel does have answers as
//     Linux does, which a test compares call by call (internal/transcript).
//   - Standard input is empty. Files lie in memory (package ramfs); those of the
//     boot archive are read in place until they are changed.
//   - Without RDRAND, RDSEED, a virtio entropy device (package drivers/rng) or a seed
//     the random numbers can be guessed, which the console says when the program
//     asks for them.
package kernel
