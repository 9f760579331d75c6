package tor

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// frontend is a vhost-user front-end with two rings in a memfd, for tests: it
// does what it is told, right or wrong.
type frontend struct {
	t        testing.TB
	port     *Port
	path     string
	conn     *net.UnixConn
	memfd    int
	mem      []byte
	features uint64
	rings    [2]driverRing
}

// The layout of its memory. Device addresses are offsets, its own addresses
// begin at userBase.
const (
	memSize    = 1 << 20
	userBase   = 0x7000_0000_0000
	ringSize   = 64
	ringBytes  = 4096
	bufferBase = 4 * ringBytes
)

type driverRing struct {
	desc       []descriptor
	availHead  *uint32
	avail      []uint16
	usedEvent  *uint16
	usedHead   *uint32
	used       []usedElem
	kick, call *os.File
	next, seen uint16
}

func newFrontend(t testing.TB, sw *Switch, features uint64) *frontend {
	path := filepath.Join(t.TempDir(), "v")
	port := sw.AddPort("frontend")
	if err := port.ListenVhostUser(path, NetConfig{MAC: net.HardwareAddr{2, 0, 0, 0, 0, 9}, MTU: 9000}); err != nil {
		t.Fatal(err)
	}
	return connectFrontend(t, port, path, features)
}

// connectFrontend plugs a front-end into a port that listens at path.
func connectFrontend(t testing.TB, port *Port, path string, features uint64) *frontend {
	f := &frontend{t: t, port: port, path: path, features: features}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	f.conn = conn.(*net.UnixConn)
	if f.memfd, err = unix.MemfdCreate("test", unix.MFD_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(f.memfd, memSize); err != nil {
		t.Fatal(err)
	}
	if f.mem, err = unix.Mmap(f.memfd, 0, memSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		t.Fatal(err)
	}
	for i := range f.rings {
		at := unsafe.Pointer(&f.mem[2*i*ringBytes])
		r := &f.rings[i]
		r.desc = unsafe.Slice((*descriptor)(at), ringSize)
		avail := unsafe.Add(at, 16*ringSize)
		r.availHead = (*uint32)(avail)
		r.avail = unsafe.Slice((*uint16)(unsafe.Add(avail, 4)), ringSize)
		r.usedEvent = (*uint16)(unsafe.Add(avail, 4+2*ringSize))
		used := unsafe.Add(at, ringBytes)
		r.usedHead = (*uint32)(used)
		r.used = unsafe.Slice((*usedElem)(unsafe.Add(used, 4)), ringSize)
		for _, file := range []**os.File{&r.kick, &r.call} {
			fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
			if err != nil {
				t.Fatal(err)
			}
			*file = os.NewFile(uintptr(fd), "event")
		}
	}
	t.Cleanup(func() {
		f.conn.Close()
		unix.Munmap(f.mem)
		unix.Close(f.memfd)
		for _, r := range f.rings {
			r.kick.Close()
			r.call.Close()
		}
	})
	return f
}

// message sends one, with whatever payload and descriptors.
func (f *frontend) message(r request, flags uint32, payload []byte, fds ...int) {
	b := binary.NativeEndian.AppendUint32(nil, uint32(r))
	b = binary.NativeEndian.AppendUint32(b, version1|flags)
	b = append(binary.NativeEndian.AppendUint32(b, uint32(len(payload))), payload...)
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	f.conn.WriteMsgUnix(b, oob, nil) // the peer may have gone
}

// ask sends a message and returns the reply's payload, nil if the back-end has
// hung up.
func (f *frontend) ask(r request, payload []byte) []byte {
	f.message(r, 0, payload)
	return f.reply()
}

func (f *frontend) reply() []byte {
	f.conn.SetReadDeadline(time.Now().Add(within))
	var header [messageHeader]byte
	if _, err := io.ReadFull(f.conn, header[:]); err != nil {
		return nil
	}
	b := make([]byte, binary.NativeEndian.Uint32(header[8:]))
	io.ReadFull(f.conn, b)
	return b
}

func numbers(v ...uint64) (b []byte) {
	for _, n := range v {
		b = binary.NativeEndian.AppendUint64(b, n)
	}
	return b
}

// state is the payload of messages about one queue.
func state(index, number int) []byte { return numbers(uint64(number)<<32 | uint64(index)) }

func (f *frontend) memTable() []byte {
	return numbers(1, 0, memSize, userBase, 0)
}

func (f *frontend) addresses(i int) []byte {
	base := uint64(userBase + 2*i*ringBytes)
	return numbers(uint64(i), base, base+ringBytes, base+16*ringSize, 0)
}

// start brings both queues up, as the protocol says.
func (f *frontend) start() {
	f.prepare()
	for i := range f.rings {
		f.message(setVringEnable, 0, state(i, 1))
	}
	f.sync()
}

// prepare starts both queues, which are yet to be enabled.
func (f *frontend) prepare() {
	f.message(setFeatures, 0, numbers(f.features|featVersion1|featProtocol))
	f.message(setProtocolFeatures, 0, numbers(protoReplyAck|protoConfig))
	f.message(setMemTable, 0, f.memTable(), f.memfd)
	for i := range f.rings {
		f.message(setVringNum, 0, state(i, ringSize))
		f.message(setVringAddr, 0, f.addresses(i))
		f.message(setVringBase, 0, state(i, 0))
		f.message(setVringCall, 0, numbers(uint64(i)), int(f.rings[i].call.Fd()))
		f.message(setVringKick, 0, numbers(uint64(i)), int(f.rings[i].kick.Fd()))
	}
}

// sync returns when the back-end has handled everything, or has hung up.
func (f *frontend) sync() { f.ask(getFeatures, nil) }

// offer publishes a chain of descriptors, from index first of the table.
func (f *frontend) offer(queue int, first uint16, chain ...descriptor) {
	r := &f.rings[queue]
	for i, d := range chain {
		at := (int(first) + i) % ringSize
		if i+1 < len(chain) {
			d.flags |= descNext
			d.next = uint16((at + 1) % ringSize)
		}
		r.desc[at] = d
	}
	r.avail[r.next%ringSize] = first
	r.next++
	storeIndex(r.availHead, r.next)
}

func (f *frontend) kick(queue int) { f.rings[queue].kick.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// used waits for the next used entry of a queue.
func (f *frontend) used(queue int) usedElem {
	f.t.Helper()
	r := &f.rings[queue]
	eventually(f.t, "a used entry", func() bool { return loadIndex(r.usedHead) != r.seen })
	e := r.used[r.seen%ringSize]
	r.seen++
	return e
}
