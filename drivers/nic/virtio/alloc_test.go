package virtio

import (
	"testing"

	"nuos/drivers/nic"
)

// loop is one batch in each direction, with a device that does its part
// without allocating either.
type loop struct {
	m       *model
	d       *Device
	frame   []byte
	packets [32]nic.Packet
	frames  [32]nic.Frame
}

func newLoop(t testing.TB, size int, features uint64) *loop {
	m := newModel(features)
	m.entries = 256
	l := &loop{m: m, d: openModel(t, m, options{}), frame: make([]byte, size)}
	for i := range l.packets {
		l.packets[i].Head = l.frame
	}
	return l
}

func (l *loop) receive(t testing.TB) {
	for range l.frames {
		if !l.m.deliver(l.frame) {
			t.Fatal("no buffer")
		}
	}
	l.m.tell(receiveQueue)
	if n := l.d.Receive(l.frames[:]); n != len(l.frames) {
		t.Fatalf("Receive = %d", n)
	}
	l.d.Release(l.frames[:])
}

func (l *loop) send(t testing.TB) {
	if n := l.d.Send(l.packets[:]); n != len(l.packets) {
		t.Fatalf("Send = %d", n)
	}
	for _, head, ok := l.m.sent(false); ok; _, head, ok = l.m.sent(false) {
		l.m.complete(sendQueue, head)
	}
	l.m.tell(sendQueue)
}

// loops are what is tried.
var loops = []struct {
	name     string
	size     int
	features uint64
}{
	{"split/60", 60, everything}, {"split/1514", 1514, everything}, {"split/9014", 9014, everything},
	{"packed/60", 60, everything | featPacked}, {"packed/1514", 1514, everything | featPacked}, {"packed/9014", 9014, everything | featPacked},
}

func TestNoAllocation(t *testing.T) {
	for _, c := range loops {
		l := newLoop(t, c.size, c.features)
		if n := testing.AllocsPerRun(500, func() {
			l.receive(t)
			l.send(t)
			l.d.Arm()
			l.d.Completed()
		}); n != 0 {
			t.Errorf("%s: a batch each way allocates %v times; want 0", c.name, n)
		}
	}
}

// The benchmarks report the driver and the model device together, per frame.

func BenchmarkReceive(b *testing.B) { bench(b, (*loop).receive) }
func BenchmarkSend(b *testing.B)    { bench(b, (*loop).send) }

func bench(b *testing.B, batch func(*loop, testing.TB)) {
	for _, c := range loops {
		b.Run(c.name, func(b *testing.B) {
			l := newLoop(b, c.size, c.features)
			b.ReportAllocs()
			b.SetBytes(int64(c.size))
			b.ResetTimer()
			for i := 0; i < b.N; i += len(l.frames) {
				batch(l, b)
			}
		})
	}
}
