package boot

import (
	"slices"
	"testing"
)

// pvhMachine is memory as a PVH loader leaves it: start info at 0x2000, memory
// map at 0x2100, one module, a command line, no RSDP.
func pvhMachine(version uint32, regions ...Region) ram {
	r := newRAM(0x2000, 0x3000)
	r.put(0x2000, uint32(pvhMagic), version, uint32(0), uint32(1), uint64(0x3000), uint64(0x3100), uint64(0),
		uint64(0x2100), uint32(len(regions)), uint32(0))
	for i, g := range regions {
		r.put(0x2100+uint64(i)*pvhRegion, g.Base, g.Size, uint32(g.Kind), uint32(0))
	}
	r.put(0x3000, uint64(0x700000), uint64(0x1234), uint64(0), uint64(0))
	r.put(0x3100, []byte("ip=dhcp GOGC=50\x00"))
	return r
}

var pcMap = []Region{{0, 0x9fc00, RAM}, {0x9fc00, 0x400, Reserved}, {0x100000, 0xff00000, RAM}, {0xfffc0000, 0x40000, Reserved}}

func TestParsePVH(t *testing.T) {
	r := pvhMachine(1, pcMap...)
	in := Info{MinMemory: 64 << 20}
	if why := in.parse(r.memory, 0xdeadbeef, 0x2000); why != "" {
		t.Fatalf("refused: %s", why)
	}
	if in.Method != PVH || !slices.Equal(in.Regions(), pcMap) || in.RAM() != 0x9fc00+0xff00000 {
		t.Errorf("%v, %v, %d bytes of RAM", in.Method, in.Regions(), in.RAM())
	}
	if want := (Region{0x700000, 0x1234, Reserved}); in.Archive != want {
		t.Errorf("archive %v, want %v", in.Archive, want)
	}
	w := in.Words()
	if !w.Next() || string(w.Text()) != "ip=dhcp" || !w.Next() || w.Kind() != Environment || w.Next() {
		t.Error("the command line is not ip=dhcp GOGC=50")
	}
}

// multibootMachine is memory as a Multiboot loader leaves it: information at
// 0x2000 with the given flags, memory map at 0x2100.
func multibootMachine(flags uint32, regions ...Region) ram {
	r := newRAM(0x2000, 0x2000)
	r.put(0x2000, flags, uint32(639), uint32(255<<10), uint32(0), uint32(0x3100), uint32(1), uint32(0x3000),
		[4]uint32{}, uint32(24*len(regions)), uint32(0x2100))
	for i, g := range regions {
		r.put(0x2100+uint64(i)*24, uint32(20), g.Base, g.Size, uint32(g.Kind))
	}
	r.put(0x3000, uint32(0x700000), uint32(0x701234), uint32(0), uint32(0))
	r.put(0x3100, []byte("kv.elf ip=dhcp\x00"))
	return r
}

func TestParseMultiboot(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags uint32
		want  []Region
	}{
		{"map", multibootMap | multibootMemory | multibootMods | multibootLine, pcMap},
		{"sizes", multibootMemory | multibootMods | multibootLine, []Region{{0, 639 << 10, RAM}, {1 << 20, 255 << 20, RAM}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := multibootMachine(c.flags, pcMap...)
			var in Info
			if why := in.parse(r.memory, multibootMagic, 0x2000); why != "" {
				t.Fatalf("refused: %s", why)
			}
			if in.Method != Multiboot || !slices.Equal(in.Regions(), c.want) {
				t.Errorf("%v %v, want %v", in.Method, in.Regions(), c.want)
			}
			if want := (Region{0x700000, 0x1234, Reserved}); in.Archive != want {
				t.Errorf("archive %v, want %v", in.Archive, want)
			}
			if w := in.Words(); !w.Next() || string(w.Text()) != "ip=dhcp" || w.Next() {
				t.Error("the command line is not ip=dhcp")
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	noRAM := Region{0, 1 << 30, Reserved}
	for _, c := range []struct {
		name  string
		r     ram
		magic uint32
		min   uint64
		want  Refusal
	}{
		{"nothing there", newRAM(0, 0), 0, 0, UnknownLoader},
		{"neither protocol", newRAM(0x2000, 0x1000), 0, 0, UnknownLoader},
		{"PVH without map", pvhMachine(0, pcMap...), 0, 0, NoMemoryMap},
		{"PVH without RAM", pvhMachine(1, noRAM), 0, 0, NoRAM},
		{"PVH, empty map", pvhMachine(1), 0, 0, NoRAM},
		{"PVH, too small", pvhMachine(1, pcMap...), 0, 256 << 20, NotEnoughMemory},
		{"Multiboot without map", multibootMachine(multibootLine), multibootMagic, 0, NoMemoryMap},
		{"Multiboot, nothing there", newRAM(0, 0), multibootMagic, 0, NoMemoryMap},
		{"Multiboot without RAM", multibootMachine(multibootMap, noRAM), multibootMagic, 0, NoRAM},
	} {
		in := Info{MinMemory: c.min}
		if got := in.parse(c.r.memory, c.magic, 0x2000); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestBadRegions(t *testing.T) {
	regions := []Region{{0, 0, RAM}, {1 << 63, 1 << 63, RAM}, {1 << 20, 1 << 20, RAM}, {5, ^uint64(0), RAM}}
	for range MaxRegions {
		regions = append(regions, Region{4 << 20, 1, Reserved})
	}
	r := newRAM(0, 0x10000)
	r.put(0x2000, uint32(pvhMagic), uint32(1), uint32(0), uint32(0), [3]uint64{}, uint64(0x3000), uint32(len(regions)))
	for i, g := range regions {
		r.put(0x3000+uint64(i)*pvhRegion, g.Base, g.Size, uint32(g.Kind))
	}
	var in Info
	if why := in.parse(r.memory, 0, 0x2000); why != "" {
		t.Fatalf("refused: %s", why)
	}
	// Kept: the third and MaxRegions-1 of the small ones. The first is empty,
	// which is not worth counting.
	if in.RAM() != 1<<20 || in.NumMemory != MaxRegions || in.MemoryDropped != 3 {
		t.Errorf("%d bytes of RAM, %d regions, %d dropped; want %d, %d, 3", in.RAM(), in.NumMemory, in.MemoryDropped, 1<<20, MaxRegions)
	}
}

func TestFindRSDP(t *testing.T) {
	pointer := [20]byte([]byte("RSD PTR \x00OEMOEM\x00\x00\x00\x00\x00"))
	for _, c := range pointer {
		pointer[8] -= c
	}
	for _, at := range []uint64{0x9fc00, 0x9ffe0, 0xE0000, 0xF59E0, 0xFFFE0} {
		r := newRAM(0, 1<<20)
		r.put(0x40E, uint16(0x9fc0))
		r.put(at, pointer)
		if got := findRSDP(r.memory); got != at {
			t.Errorf("found %#x, want %#x", got, at)
		}
		r.bytes[at+9]++
		if got := findRSDP(r.memory); got != 0 {
			t.Errorf("found one with a wrong checksum at %#x", got)
		}
	}
}

// FuzzParse reads hostile memory. Whatever a loader leaves, Parse returns, and
// what it accepts makes sense.
func FuzzParse(f *testing.F) {
	f.Add(uint32(0), uint16(0x2000), pvhMachine(1, pcMap...).bytes)
	f.Add(uint32(multibootMagic), uint16(0x2000), multibootMachine(0x4f, pcMap...).bytes)
	f.Add(uint32(multibootMagic), uint16(0x2ff0), multibootMachine(0x4f, pcMap...).bytes)
	f.Fuzz(func(t *testing.T, magic uint32, at uint16, b []byte) {
		r := ram{0x2000, b}
		var in Info
		why := in.parse(r.memory, magic, uint64(at))
		if why == "" && in.RAM() == 0 {
			t.Error("accepted a machine without RAM")
		}
		for _, g := range in.Regions() {
			if g.Size == 0 || g.End() < g.Base {
				t.Errorf("kept region %v", g)
			}
		}
		if in.Archive.End() < in.Archive.Base {
			t.Errorf("kept archive %v", in.Archive)
		}
		for w := in.Words(); w.Next(); {
		}
	})
}
