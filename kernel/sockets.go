package kernel

// Sockets are not the kernel's: kernel/net plugs them in with SetSockets. This
// file is the whole contract between the two.
//
// There are two contexts. *Handler context* is the inside of a system call:
// interrupts are off, the kernel's lock is held, and code may not allocate, may
// not store pointers (write barriers), may not use maps or interfaces, and may
// not wait for anything. *Goroutine context* is everything else. Sockets.Call
// runs in handler context; a function below says in which contexts it may be
// called.

// MaxSockets bounds the socket indices that kernel/net may hand out: an index
// is at least 0 and below it.
const MaxSockets = 8192

// MaxBacklog is how many connections wait at most to be accepted, whatever listen(2)
// asks for.
const MaxBacklog = 4096

// Results of Sockets.Call other than success. An error is a negated errno, as
// in int(-syscall.EAGAIN).
const (
	// Wait blocks the calling thread until CompleteCall(c.Token, result).
	// Only calls that Go announces to its scheduler may wait: bind, listen,
	// connect, setsockopt, getsockopt, and sends on netlink sockets. The call must be completed exactly once, after Call has
	// returned. Signals for the thread are held back meanwhile.
	Wait = -1 << 30

	// Again is a result for CompleteCall alone: the call is made again, and finds
	// what it has waited for.
	Again = Wait + 1
)

// Call is one system call on a socket, valid while Sockets.Call runs.
type Call struct {
	Nr   uintptr    // Linux system call number (syscall.SYS_READ, ...)
	Args [6]uintptr // as the program passed them; addresses are unchecked: use CopyIn and CopyOut
	Sock int        // the socket's index; -1 for socket(2)

	// Nonblock says that the descriptor has O_NONBLOCK set, or that the
	// call's own flags (SOCK_NONBLOCK, MSG_DONTWAIT) are the program's to
	// check in Args. For socket and accept4 it is the new descriptor's.
	Nonblock bool

	Token Token // names the call if it waits; 0 if it may not
}

// SysSendmmsg is the number of sendmmsg(2), which package syscall does not have.
const SysSendmmsg = 307

// Token names one waiting call.
type Token uint64

// Sockets is what kernel/net implements.
type Sockets struct {
	// Call executes a call in handler context and returns its result, a
	// negated errno, or Wait. After EAGAIN, if the program is ready to wait,
	// the kernel makes the call again with the next SetReady.
	//
	// It gets socket, bind, listen, accept, accept4, connect, getsockname,
	// getpeername, setsockopt, getsockopt, shutdown, sendto, recvfrom,
	// sendmsg, recvmsg, sendmmsg, recvmmsg, and read, write, readv, writev,
	// ioctl and close on a descriptor that is a socket. fcntl, dup and the
	// epoll calls are the kernel's own affair, but poll comes for a socket whose
	// readiness a program is about to be told: ClearReady what is not the case
	// any more, and SetReady it again when it is. Its result is ignored.
	//
	// socket, accept and accept4 return (or complete with) the new socket's index;
	// the kernel gives it a descriptor. close comes once, when the last
	// descriptor of the socket is closed; its result is ignored except that
	// it may not wait, and after it the index may be handed out again.
	Call func(c *Call) int
}
