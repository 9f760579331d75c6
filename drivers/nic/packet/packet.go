//go:build !metal

package packet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"nuos/drivers/nic"
	"nuos/mm"
)

const (
	ethernetHeader = 14
	buffers        = 64 // frames received at a time, and sent
	maxPieces      = 16 // of a packet, with its head
)

// message is struct mmsghdr, of recvmmsg(2).
type message struct {
	unix.Msghdr
	length uint32
	_      [4]byte
}

// Device is an interface of Linux.
type Device struct {
	info nic.Info
	file *os.File
	raw  syscall.RawConn
	fd   uintptr
	wake func(fd uintptr) bool // made once, so that Wait allocates nothing

	closed atomic.Bool

	// Those who receive do so one at a time, as those who send.
	rx struct {
		messages [buffers]message
		vectors  [buffers]unix.Iovec
		bytes    []byte // a buffer for each, of stride bytes
		stride   int
	}
	tx struct {
		messages [buffers]message
		vectors  [buffers][maxPieces]unix.Iovec
	}
	queued atomic.Uint64
	taken  atomic.Uint64 // Receives that found frames
	armed  atomic.Uint64 // what taken was when Arm found none

	stats struct {
		rxFrames, rxBytes, rxErrors, txFrames, txBytes, sendErrors, full, events atomic.Uint64
	}
}

var _ nic.Device = (*Device)(nil)

// Open opens the interface with that name, which must be up. Without the right to, the error
// is os.ErrPermission.
func Open(name string) (*Device, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("packet %s: %w", name, err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("packet %s: %w", name, os.NewSyscallError("socket", err))
	}
	// Nothing arrives before bind says from where.
	protocol := uint16(unix.ETH_P_ALL)
	err = errors.Join(
		os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 8<<20), // or as much as is allowed
		os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8, Ifindex: i.Index})))
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("packet %s: %w", name, err)
	}
	d := &Device{
		info: nic.Info{Name: "packet " + name, MTU: min(i.MTU, 65535), MaxPieces: maxPieces - 1},
		file: os.NewFile(uintptr(fd), "packet "+name), fd: uintptr(fd),
	}
	copy(d.info.MAC[:], i.HardwareAddr)
	if d.raw, err = d.file.SyscallConn(); err != nil {
		d.file.Close()
		return nil, fmt.Errorf("packet %s: %w", name, err)
	}
	d.wake = func(uintptr) bool { return d.taken.Load() != d.armed.Load() || d.pending() }
	// One byte more than the longest frame, so that a longer one is noticed.
	d.rx.stride = ethernetHeader + d.info.MTU + 1
	d.rx.bytes = make([]byte, buffers*d.rx.stride)
	for i := range buffers {
		v := &d.rx.vectors[i]
		v.Base, v.Len = &d.rx.bytes[i*d.rx.stride], uint64(d.rx.stride)
		d.rx.messages[i].Iov, d.rx.messages[i].Iovlen = v, 1
		d.tx.messages[i].Iov = &d.tx.vectors[i][0]
	}
	return d, nil
}

func (d *Device) Info() nic.Info { return d.info }

func (d *Device) Receive(batch []nic.Frame) int {
	r := &d.rx
	// Raw, since the socket does not block, and Go's scheduler need not know.
	got, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, d.fd, uintptr(unsafe.Pointer(&r.messages)), uintptr(min(len(batch), buffers)), unix.MSG_DONTWAIT, 0, 0)
	if e != 0 || got == 0 {
		return 0
	}
	n, bytes := 0, 0
	for i := range int(got) {
		length := int(r.messages[i].length)
		if length < ethernetHeader || length == r.stride {
			d.stats.rxErrors.Add(1)
			continue
		}
		batch[n] = nic.Frame{Bytes: r.bytes[i*r.stride:][:length:length]}
		bytes += length
		n++
	}
	d.taken.Add(1)
	d.stats.rxFrames.Add(uint64(n))
	d.stats.rxBytes.Add(uint64(bytes))
	return n
}

// Release has nothing to do: buffers are used again by the next Receive, before which all
// are given back.
func (d *Device) Release(batch []nic.Frame) {}

func (d *Device) Arm() bool {
	d.armed.Store(d.taken.Load())
	return !d.pending()
}

// pending reports whether there is a frame.
func (d *Device) pending() bool {
	p := unix.PollFd{Fd: int32(d.fd), Events: unix.POLLIN}
	n, _, _ := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&unix.Timespec{})), 0, 0, 0)
	return n == 1
}

// Wait returns when the runtime's poller finds the socket readable. A frame that somebody
// took since Arm counts, too: its event may have been forgotten before Wait began.
func (d *Device) Wait() error {
	if err := d.raw.Read(d.wake); d.closed.Load() {
		return nic.ErrClosed
	} else if err != nil {
		return err
	}
	d.stats.events.Add(1)
	return nil
}

func (d *Device) Send(batch []nic.Packet) int {
	t := &d.tx
	done := 0
	for done < len(batch) {
		// Those from done on that can be sent, up to the first that cannot.
		n := 0
		for n < buffers && done+n < len(batch) && d.fill(n, &batch[done+n]) {
			n++
		}
		if n == 0 {
			d.stats.sendErrors.Add(1)
			done++
			continue
		}
		sent, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, d.fd, uintptr(unsafe.Pointer(&t.messages)), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case e == unix.EAGAIN || e == unix.ENOBUFS || e == unix.EINTR:
			d.stats.full.Add(1)
			d.queued.Add(uint64(done))
			return done
		case e != 0: // this one is refused
			d.stats.sendErrors.Add(1)
			sent = 1
		default:
			for i := range int(sent) {
				d.stats.txBytes.Add(uint64(t.messages[i].length))
			}
			d.stats.txFrames.Add(uint64(sent))
		}
		done += int(sent)
	}
	d.queued.Add(uint64(done))
	return done
}

// fill describes a packet to the kernel. It reports false for one that can never be sent.
func (d *Device) fill(i int, p *nic.Packet) bool {
	v := &d.tx.vectors[i]
	if len(p.Head) < ethernetHeader || len(p.Gather) > maxPieces-1 {
		return false
	}
	v[0].Base, v[0].Len = unsafe.SliceData(p.Head), uint64(len(p.Head))
	size, n := uint64(len(p.Head)), 1
	for _, r := range p.Gather {
		if r.Size > uint64(d.info.MTU) {
			return false
		}
		if r.Size == 0 {
			continue
		}
		if _, _, ok := mm.Translate(r.Base); !ok {
			return false // no card could reach it, either
		}
		v[n].Base, v[n].Len = unsafe.SliceData(mm.Bytes(r)), r.Size
		size += r.Size
		n++
	}
	d.tx.messages[i].Iovlen = uint64(n)
	return size <= uint64(ethernetHeader+d.info.MTU)
}

func (d *Device) Completed() (queued, done uint64) {
	n := d.queued.Load()
	return n, n
}

func (d *Device) Stats() nic.Stats {
	s := &d.stats
	return nic.Stats{
		RxFrames: s.rxFrames.Load(), RxBytes: s.rxBytes.Load(), RxErrors: s.rxErrors.Load(),
		TxFrames: s.txFrames.Load(), TxBytes: s.txBytes.Load(),
		SendErrors: s.sendErrors.Load(), SendFull: s.full.Load(), Events: s.events.Load(),
	}
}

// Close closes the socket, and ends Wait.
func (d *Device) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	return d.file.Close()
}
