package qemu

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nuos/boot/image"
)

// deadline is how long a test waits for what should happen at once; only a
// failure takes that long.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func guest(t *testing.T, rounds uint32) string {
	path := filepath.Join(t.TempDir(), "guest.elf")
	if err := os.WriteFile(path, proofGuest(rounds), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunDecodesExitCode(t *testing.T) {
	for _, machine := range []string{"q35", "microvm", "pc"} {
		_, code, err := Run(deadline(t), Options{Image: guest(t, 2), MachineType: machine, Accel: "tcg", NoNIC: true})
		if code != proofCode || err != nil {
			t.Errorf("Run on %s = code %d, %v; want %d", machine, code, err, proofCode)
		}
	}
}

// The guest that proves KVM proves software emulation too, and a guest that
// does not come to its end proves nothing.
func TestProof(t *testing.T) {
	if err := proves(deadline(t), "tcg", 2); err != nil {
		t.Errorf("proof on tcg = %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := proves(ctx, "tcg", 1<<31); !errors.Is(err, ErrKilled) {
		t.Errorf("proof by a guest that does not end = %v; want ErrKilled", err)
	}
}

func TestEmulatedRack(t *testing.T) {
	pcap := filepath.Join(t.TempDir(), "x.pcap")
	r := startRack(t, Options{Image: guest(t, 5), Machines: 2, Accel: "tcg", Pcap: pcap})
	for _, m := range r.Machines() {
		if code, err := m.Wait(deadline(t)); code != proofCode || err != nil {
			t.Errorf("machine %d = %d, %v; want %d", m.Index(), code, err, proofCode)
		}
		if m.Running() {
			t.Errorf("machine %d runs after Wait", m.Index())
		}
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(pcap); err != nil || info.Size() != 24 { // its header
		t.Errorf("the capture of silent machines: %v, %v; want 24 bytes", info, err)
	}
}

// TestVhostUserRack has two machines find each other, call, and part, over memory that they share with
// the switch. Their network cards have no interrupts.
func TestVhostUserRack(t *testing.T) {
	built, err := image.Build(deadline(t), image.Options{Package: "../images/measure", Output: filepath.Join(t.TempDir(), "measure.elf")})
	if err != nil {
		t.Fatal(err)
	}
	r := startRack(t, Options{Image: built.Path, Machines: 2, Accel: "tcg", VhostUser: true, Params: []string{"measure=calls", "calls=^RemoteCalls/callers=1$"}})
	for _, m := range r.Machines() {
		if code, err := m.Wait(deadline(t)); code != 0 || err != nil {
			t.Errorf("machine %d = %d, %v; want 0\n%s", m.Index(), code, err, m.Console())
		}
	}
	if s := r.Machine(0).Port().Stats(); s.TxFrames == 0 || s.RxFrames == 0 || s.Bad != 0 {
		t.Errorf("%+v; want frames both ways, and none bad", s)
	}
}

func TestRunCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(200*time.Millisecond, cancel)
	_, _, err := Run(ctx, Options{Image: guest(t, 1<<31), Accel: "tcg", NoNIC: true})
	if !errors.Is(err, ErrKilled) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Run = %v; want ErrKilled and context.Canceled", err)
	}
}

func TestRunReportsEmulatorsComplaint(t *testing.T) {
	image := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(image, []byte("no image at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := Run(deadline(t), Options{Image: image, Accel: "tcg", NoNIC: true})
	if !errors.Is(err, ErrLaunch) || !strings.Contains(err.Error(), "invalid kernel header") {
		t.Errorf("Run of a text file = %v; want ErrLaunch with the emulator's words", err)
	}
}

func TestRunRefusesBadOptions(t *testing.T) {
	image := guest(t, 1)
	for _, o := range []Options{
		{Image: image, VhostUser: true, NoNIC: true},
		{Image: image, MachineType: "toaster"},
		{Image: image, Firmware: "bread"},
		{Image: image, Accel: "hope"},
		{Image: image + ".missing"},
		{Image: filepath.Dir(image)},
		{Image: image, CPUs: -1},
	} {
		if _, _, err := Run(deadline(t), o); err == nil {
			t.Errorf("Run(%+v) succeeded; want an error", o)
		}
	}
}
