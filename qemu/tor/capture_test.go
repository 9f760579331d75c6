package tor

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/gopacket/gopacket/pcapgo"
)

// readCapture returns the numbers of the frames in a pcap file.
func readCapture(t *testing.T, file []byte) (got []int) {
	t.Helper()
	r, err := pcapgo.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for {
		f, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(f) != info.Length {
			t.Errorf("frame of %d bytes recorded with %d", info.Length, len(f))
		}
		got = append(got, numberOf(f))
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestCapture(t *testing.T) {
	sw := newSwitch(t)
	a, b, c := newPeer(t, sw, 1), newPeer(t, sw, 2), newPeer(t, sw, 3)
	var all, onlyB bytes.Buffer
	if _, err := sw.Capture(&all); err != nil {
		t.Fatal(err)
	}
	stop, err := sw.Capture(&onlyB, b.port)
	if err != nil {
		t.Fatal(err)
	}
	a.send(frame(everybody, a.mac, 1, 60))
	b.receive()
	c.receive()
	b.send(frame(a.mac, b.mac, 2, 9014))
	a.receive()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	c.send(frame(a.mac, c.mac, 3, 60))
	a.receive()
	if err := sw.Close(); err != nil {
		t.Fatal(err)
	}
	if got := readCapture(t, all.Bytes()); !equal(got, []int{1, 2, 3}) {
		t.Errorf("all: frames %v; want each once", got)
	}
	if got := readCapture(t, onlyB.Bytes()); !equal(got, []int{1, 2}) {
		t.Errorf("the link of b until the end of its capture: frames %v; want 1, 2", got)
	}
}

type fullDisk struct{ room int }

var errFull = errors.New("disk full")

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.room -= len(p); d.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// A capture that cannot be written is reported when it ends; frames flow on.
func TestCaptureOnFullDisk(t *testing.T) {
	sw := newSwitch(t)
	a, b := newPeer(t, sw, 1), newPeer(t, sw, 2)
	stop, err := sw.Capture(&fullDisk{room: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		a.send(frame(b.mac, a.mac, i, 9014))
		b.receive()
	}
	if err := stop(); !errors.Is(err, errFull) {
		t.Errorf("the end of the capture = %v; want %v", err, errFull)
	}
}
