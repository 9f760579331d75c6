package stress

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"nuos/mm"
)

func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// TestMemory takes as much as it may, which is not all, and gives all back.
func TestMemory(t *testing.T) {
	before := mm.Frames()
	s := &Stress{}
	const leave = 32 << 20
	if err := s.Obey(Order{Rate: 4 << 30, Leave: leave, For: time.Minute}); err != nil {
		t.Fatal(err)
	}
	await(t, "so much is left", func() bool { return mm.Frames().Free*mm.PageSize < leave+2*mm.PageSize })
	now := mm.Frames()
	if now.Free*mm.PageSize < leave {
		t.Errorf("%d bytes are left, of %d", now.Free*mm.PageSize, leave)
	}
	if got := (now.DMA - before.DMA) * mm.PageSize; got != s.Status().Bytes {
		t.Errorf("%d bytes are booked, and %d taken", got, s.Status().Bytes)
	}
	if err := s.Obey(Order{Stop: true}); err != nil {
		t.Fatal(err)
	}
	if after := mm.Frames(); after.DMA != before.DMA || s.Status() != (Status{}) {
		t.Errorf("afterwards %d frames are taken, and it says %+v", after.DMA-before.DMA, s.Status())
	}
}

// TestRate takes little by little, and ends by itself.
func TestRate(t *testing.T) {
	s := &Stress{}
	start := time.Now()
	if err := s.Obey(Order{Rate: 64 << 20, Cores: 2, For: time.Second}); err != nil {
		t.Fatal(err)
	}
	most, cores := uint64(0), 0
	for st := s.Status(); (st.Cores > 0 || cores == 0) && time.Since(start) < 30*time.Second; st = s.Status() {
		if limit := uint64(time.Since(start).Seconds()*(64<<20)) + mm.PageSize; st.Bytes > limit {
			t.Fatalf("%d bytes are taken after %v", st.Bytes, time.Since(start))
		}
		most, cores = max(most, st.Bytes), max(cores, st.Cores)
		runtime.Gosched()
	}
	await(t, "all is given back", func() bool { return s.Status() == Status{} })
	if most == 0 || cores != 2 {
		t.Errorf("at most %d bytes and %d cores were taken", most, cores)
	}
}

func TestBadOrders(t *testing.T) {
	s := &Stress{}
	for _, o := range []Order{{For: -1}, {For: 2 * Longest}, {Cores: -1}, {Cores: 1 << 30}} {
		if err := s.Obey(o); !errors.Is(err, ErrOrder) {
			t.Errorf("Obey(%+v) = %v", o, err)
		}
	}
}
