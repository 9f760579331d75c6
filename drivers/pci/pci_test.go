package pci

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"nuos/mm"
)

func nicModel() *functionModel {
	return newFunction(0x1af4, 0x1041, 0x020000, 0).
		bar(1, 0, 4096, 0).
		bar(4, barWide|barPrefetch, 16384, 0).
		capability(0x40, CapVendor, 0, 16, 1, 4).
		capability(0x50, CapVendor, 0, 20, 2, 4).
		capability(0x70, CapMSIX, 0, 3, 0, 1, 0, 0, 0, 0x01, 0x08, 0, 0)
}

func TestScanAssignsWhatFirmwareLeft(t *testing.T) {
	assigned := newFunction(0x8086, 0x10d3, 0x020000, 0).bar(0, 0, 128<<10, 0xc000_0000)
	far := newFunction(0x15b3, 0x1017, 0x020000, 0).bar(0, barWide|barPrefetch, 8<<30, 0)
	m := &machineModel{t: t, bus0: map[[2]uint8]*functionModel{
		{0, 0}: newFunction(0x8086, 0x29c0, 0x060000, 0),
		{1, 0}: nicModel(), {2, 0}: assigned, {3, 0}: far,
	}}
	b := Scan(m, 0, roomy, m.mapDevice)
	if len(b.Functions) != 4 {
		t.Fatalf("found %v, want 4 functions", b.Functions)
	}
	checkAssigned(t, b)
	if got := b.Functions[2].BARs[0].Base; got != 0xc000_0000 {
		t.Errorf("firmware's address became %#x", got)
	}
	if bar := b.Functions[3].BARs[0]; bar.Base < 1<<39 || bar.Size != 8<<30 || !bar.Wide || !bar.Prefetchable {
		t.Errorf("BAR of 8 GiB: %+v", bar)
	}
	for _, f := range m.bus0 {
		if f.space[regCommand] != 0 {
			t.Errorf("a function was enabled: command %#x", f.space[regCommand])
		}
	}
}

// checkAssigned checks that every memory BAR has an address of its own, the
// register holds it, and bridges pass it.
func checkAssigned(t *testing.T, b *Bus) {
	t.Helper()
	var all []mm.PhysRange
	for _, f := range b.Functions {
		for i, bar := range f.BARs {
			if bar.Size == 0 || bar.IO {
				continue
			}
			r := mm.PhysRange{Base: bar.Base, Size: bar.Size}
			if bar.Base == 0 || uint64(bar.Base)%bar.Size != 0 {
				t.Errorf("%v BAR %d: %+v", f, i, bar)
			}
			if got := f.Read(regBAR+4*i, 4) &^ 15; got != uint32(bar.Base) {
				t.Errorf("%v BAR %d holds %#x, want %#x", f, i, got, bar.Base)
			}
			for _, o := range append(all, roomy.Used...) {
				if r.Base < o.End() && o.Base < r.End() {
					t.Errorf("%v BAR %d: %#x overlaps %#x", f, i, r, o)
				}
			}
			all = append(all, r)
			for _, up := range b.Functions {
				if up.header != headerBridge || up.Read(regSecondary, 1) > uint32(f.Bus) || up.Read(regSubordinate, 1) < uint32(f.Bus) {
					continue
				}
				if w, open := up.window(); !open || r.Base < w.Base || r.End() > w.End() {
					t.Errorf("%v BAR %d: %#x is not in the window %#x of %v", f, i, r, w, up)
				}
			}
		}
	}
}

// TestBridges puts functions behind bridges behind bridges, none numbered.
func TestBridges(t *testing.T) {
	port := func() *functionModel { return newFunction(0x1b36, 0x000c, 0x060400, headerBridge|headerMulti) }
	upper, lower, empty := port(), port(), port()
	upper.behind[[2]uint8{0, 0}] = lower
	upper.behind[[2]uint8{1, 0}] = nicModel()
	lower.behind[[2]uint8{0, 0}] = nicModel()
	lower.behind[[2]uint8{5, 3}] = nicModel() // function 0 is missing: not there
	lower.behind[[2]uint8{6, 0}] = newFunction(1, 2, 0x020000, headerMulti).bar(0, 0, 4<<20, 0)
	lower.behind[[2]uint8{6, 7}] = newFunction(1, 3, 0x020000, 0).bar(2, 0, 16, 0)
	m := &machineModel{t: t, bus0: map[[2]uint8]*functionModel{{2, 0}: upper, {2, 1}: empty, {3, 0}: nicModel()}}
	b := Scan(m, 0, roomy, m.mapDevice)
	var got []string
	for _, f := range b.Functions {
		got = append(got, f.Address.String())
	}
	want := "[00:02.0 01:00.0 02:00.0 02:06.0 02:06.7 01:01.0 00:02.1 00:03.0]"
	if fmt.Sprint(got) != want {
		t.Errorf("found %v, want %v", got, want)
	}
	checkAssigned(t, b)
}

// TestRandomMachines builds buses of random functions and bridges, some with
// addresses from firmware.
func TestRandomMachines(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		var fill func(depth int) map[[2]uint8]*functionModel
		functions := 0
		fill = func(depth int) map[[2]uint8]*functionModel {
			bus := map[[2]uint8]*functionModel{}
			for range rnd.IntN(6) {
				at := [2]uint8{uint8(rnd.IntN(32)), 0}
				if bus[at] != nil {
					continue
				}
				functions++
				if depth < 3 && rnd.IntN(3) == 0 {
					f := newFunction(0x1b36, 0x000c, 0x060400, headerBridge)
					f.behind = fill(depth + 1)
					bus[at] = f
					continue
				}
				f := newFunction(0x1af4, 0x1041, 0x020000, 0)
				for i := 0; i < 5; i += 1 + rnd.IntN(3) {
					flags := uint32(0)
					if i < 5 && rnd.IntN(2) == 0 {
						flags = barWide
					}
					f.bar(i, flags, 16<<rnd.IntN(16), 0)
					if flags == barWide {
						i++
					}
				}
				bus[at] = f
			}
			return bus
		}
		m := &machineModel{t: t, bus0: fill(0)}
		b := Scan(m, 0, roomy, m.mapDevice)
		if len(b.Functions) != functions {
			t.Errorf("found %d functions of %d", len(b.Functions), functions)
		}
		checkAssigned(t, b)
		// A second scan, as after a firmware that assigned everything, changes nothing.
		again := Scan(m, 0, roomy, m.mapDevice)
		for i, f := range again.Functions {
			if f.BARs != b.Functions[i].BARs || f.Address != b.Functions[i].Address {
				t.Errorf("%v: %+v became %+v", f, b.Functions[i].BARs, f.BARs)
			}
		}
		if t.Failed() {
			return
		}
	}
}

func TestNoRoomLeavesBARsAlone(t *testing.T) {
	m := &machineModel{t: t, bus0: map[[2]uint8]*functionModel{{0, 0}: nicModel()}}
	b := Scan(m, 0, Windows{Low: mm.PhysRange{Base: 0xc000_0000, Size: 8192}}, m.mapDevice)
	f := b.Functions[0]
	if _, err := f.MapBAR(4); !errors.Is(err, ErrNoBAR) {
		t.Errorf("BAR without room: %v", err)
	}
	if _, err := f.MapBAR(1); err != nil {
		t.Errorf("BAR with room: %v", err)
	}
	for _, i := range []int{-1, 0, 2, 5, 6} {
		if _, err := f.MapBAR(i); !errors.Is(err, ErrNoBAR) {
			t.Errorf("MapBAR(%d): %v", i, err)
		}
	}
}

func TestMSIX(t *testing.T) {
	m := &machineModel{t: t, bus0: map[[2]uint8]*functionModel{{4, 0}: nicModel()}}
	for i := range m.bus0[[2]uint8{4, 0}].writable[0x70:0x74] {
		m.bus0[[2]uint8{4, 0}].writable[0x70+i] = 0xff
	}
	f := Scan(m, 0, roomy, m.mapDevice).Functions[0]
	f.Enable()
	if got := f.Read(regCommand, 2); got != commandMemory|commandMaster|commandNoINTx {
		t.Errorf("command %#x", got)
	}
	x, err := f.OpenMSIX()
	if err != nil {
		t.Fatal(err)
	}
	if x.Vectors != 4 {
		t.Errorf("%d vectors, want 4", x.Vectors)
	}
	if got := f.Read(0x72, 2); got != msixEnable|3 {
		t.Errorf("control %#x", got)
	}
	if err := x.Set(2, 0xfee0_1000, 0x41); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		at := 0x800 + uint64(i)*16
		regs := Registers{Base: x.table.Base - 0x800, Size: 4096}
		got := [4]uint32{regs.Read32(at), regs.Read32(at + 4), regs.Read32(at + 8), regs.Read32(at + 12)}
		want := [4]uint32{3: msixEntryMask}
		if i == 2 {
			want = [4]uint32{0xfee0_1000, 0, 0x41, 0}
		}
		if got != want {
			t.Errorf("entry %d is %x, want %x", i, got, want)
		}
	}
	for _, i := range []int{-1, 4} {
		if err := x.Set(i, 0, 0); !errors.Is(err, ErrNoMSIX) {
			t.Errorf("Set(%d): %v", i, err)
		}
	}
	x.Close()
	if got := f.Read(0x72, 2); got&msixEnable != 0 {
		t.Errorf("control %#x after Close", got)
	}
	// A table that reaches beyond its BAR.
	m.bus0[[2]uint8{4, 0}].space[0x75] = 0x10
	if _, err := f.OpenMSIX(); !errors.Is(err, ErrNoMSIX) {
		t.Errorf("table outside of its BAR: %v", err)
	}
}

func TestVendorCapabilities(t *testing.T) {
	m := &machineModel{t: t, bus0: map[[2]uint8]*functionModel{{4, 0}: nicModel()}}
	f := Scan(m, 0, roomy, m.mapDevice).Functions[0]
	all := f.VendorCapabilities()
	if len(all) != 2 || len(all[0]) != 20 || all[0][3] != 2 || len(all[1]) != 16 || all[1][3] != 1 {
		t.Errorf("got %x", all)
	}
}

// FuzzFunction fills a function's configuration space with anything; nothing
// may hang, panic, or leave the space.
func FuzzFunction(f *testing.F) {
	f.Add([]byte{0x34: 0x40, 0x40: 9, 0x41: 0x40}, uint8(0))
	f.Add([]byte{0x34: 0xfc, 0xfc: 0x11, 0xfd: 0xfc}, uint8(0))
	f.Add([]byte{0x34: 0x42, 0x40: 0x11, 0x41: 0x44, 0x44: 9, 0x45: 0x40, 0x46: 0xff}, uint8(1))
	f.Add([]byte{0x18: 0, 0x19: 0, 0x20: 0xff, 0x22: 0xff}, uint8(headerBridge|headerMulti))
	f.Fuzz(func(t *testing.T, space []byte, header uint8) {
		fn := nicModel()
		copy(fn.space[0x10:], space[min(len(space), 0x10):])
		fn.space[regHeaderType] = header
		fn.space[regStatus] |= statusCapabilities
		if header&headerMask == headerBridge {
			fn.behind = map[[2]uint8]*functionModel{{0, 0}: nicModel()}
			copy(fn.writable[0x18:], []byte{0xff, 0xff, 0xff})
		}
		m := &machineModel{t: t, bus0: map[[2]uint8]*functionModel{{0, 0}: fn}}
		for _, f := range Scan(m, 0, roomy, m.mapDevice).Functions {
			if n := len(f.Capabilities()); n > 48 {
				t.Errorf("%d capabilities", n)
			}
			f.VendorCapabilities()
			for _, bar := range f.BARs {
				if bar.Size&(bar.Size-1) != 0 && !bar.IO {
					t.Errorf("BAR %+v", bar)
				}
				if bar.Size > 1<<30 {
					return // too large to map in a test
				}
			}
			if x, err := f.OpenMSIX(); err == nil {
				for i := range x.Vectors {
					x.Set(i, 1, 2)
				}
				x.Close()
			}
		}
	})
}

func TestParseAddress(t *testing.T) {
	tests := []struct {
		in   string
		want string // "": refused
	}{
		{"00:03.0", "00:03.0"}, {"0000:ff:1f.7", "ff:1f.7"}, {"3:2.1", "03:02.1"},
		{"", ""}, {"00:20.0", ""}, {"00:00.8", ""}, {"100:00.0", ""}, {"00:03", ""}, {"a.b:c", ""}, {"0001:00:03.0", ""},
	}
	for _, test := range tests {
		a, err := ParseAddress(test.in)
		if (err == nil) != (test.want != "") || err == nil && a.String() != test.want || err != nil && !errors.Is(err, ErrAddress) {
			t.Errorf("ParseAddress(%q) = %v, %v, want %q", test.in, a, err, test.want)
		}
	}
}

func TestRegistersBounds(t *testing.T) {
	m := &machineModel{t: t, ports: make([]byte, 32)}
	r, _ := m.mapDevice(0, 32)
	r.Write64(8, 0x1122334455667788)
	r.Write32(16, 0xaabbccdd)
	r.Write16(20, 0xeeff)
	r.Write8(22, 0x99)
	if r.Read32(8) != 0x55667788 || r.Read8(15) != 0x11 || r.Read16(20) != 0xeeff || r.Read64(16) != 0x0099eeffaabbccdd {
		t.Errorf("block holds %x", m.ports)
	}
	for _, at := range []uint64{29, 32, 30, 1 << 63, ^uint64(0) - 3} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Read32(%#x) of 32 bytes", at)
				}
			}()
			r.Read32(at)
		}()
	}
	if _, err := r.Part(16, 17); err == nil {
		t.Error("part outside of its block")
	}
}
