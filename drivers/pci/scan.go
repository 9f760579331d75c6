package pci

// Bus is all that was found on the machine's buses.
type Bus struct {
	// Functions is ordered by address as found; it does not change.
	Functions []*Function

	access    Access
	mapDevice MapFunc
}

// Scan finds the functions on bus first and behind the bridges on it, and
// gives addresses from w to memory BARs that have none.
func Scan(access Access, first uint8, w Windows, mapDevice MapFunc) *Bus {
	b := &Bus{access: access, mapDevice: mapDevice}
	s := scan{bus: b, next: int(first) + 1}
	s.reserveBuses(first)
	root := s.onBus(first)
	b.assign(root, w)
	return b
}

// Find returns the functions for which match is true.
func (b *Bus) Find(match func(*Function) bool) []*Function {
	var found []*Function
	for _, f := range b.Functions {
		if match(f) {
			found = append(found, f)
		}
	}
	return found
}

// node is a function and, if it is a bridge, what is behind it.
type node struct {
	*Function
	children []*node
}

// scan is the state of one walk over the buses.
type scan struct {
	bus    *Bus
	seen   [256]bool
	next   int       // lowest bus number that is surely free
	chosen [256]bool // bus numbers that firmware gave to bridges
}

// reserveBuses notes the numbers that firmware gave to bridges reachable from
// bus number b, so that new numbers are different.
func (s *scan) reserveBuses(b uint8) {
	s.chosen[b] = true
	s.each(b, func(a Address, header uint8) {
		if header&headerMask != headerBridge {
			return
		}
		secondary := uint8(s.bus.access.Read(a, regSecondary, 1))
		subordinate := uint8(s.bus.access.Read(a, regSubordinate, 1))
		if secondary != 0 && !s.chosen[secondary] {
			s.next = max(s.next, int(secondary)+1, int(subordinate)+1)
			s.reserveBuses(secondary)
		}
	})
}

// each calls visit for every function that answers on bus b.
func (s *scan) each(b uint8, visit func(a Address, header uint8)) {
	for device := range uint8(32) {
		for function := range uint8(8) {
			a := Address{b, device, function}
			if v := s.bus.access.Read(a, regVendor, 2); v == 0xffff || v == 0 {
				if function == 0 {
					break
				}
				continue
			}
			header := uint8(s.bus.access.Read(a, regHeaderType, 1))
			visit(a, header)
			if function == 0 && header&headerMulti == 0 {
				break
			}
		}
	}
}

// onBus scans bus b and what is behind it. A bus is scanned once, however many
// bridges claim it.
func (s *scan) onBus(b uint8) []*node {
	var nodes []*node
	s.seen[b] = true
	s.each(b, func(a Address, header uint8) {
		f := &Function{Address: a, bus: s.bus, header: header & headerMask}
		f.Vendor = uint16(f.Read(regVendor, 2))
		f.Device = uint16(f.Read(regDevice, 2))
		class := f.Read(regRevision, 4)
		f.Class, f.Revision = class>>8, uint8(class)
		if f.header == headerNormal {
			f.SubVendor = uint16(f.Read(regSubVendor, 2))
			f.SubDevice = uint16(f.Read(regSubDevice, 2))
		}
		f.readBARs()
		n := &node{Function: f}
		s.bus.Functions = append(s.bus.Functions, f)
		nodes = append(nodes, n)
		if f.header == headerBridge {
			n.children = s.behind(f)
		}
	})
	return nodes
}

// behind scans the bus behind a bridge, numbering it first if firmware did
// not (Bridge 3.2.5).
func (s *scan) behind(f *Function) []*node {
	secondary := uint8(f.Read(regSecondary, 1))
	numbered := secondary != 0
	if !numbered {
		if s.next > 255 {
			return nil
		}
		secondary = uint8(s.next)
		s.next++
		f.Write(regPrimary, 1, uint32(f.Bus))
		f.Write(regSecondary, 1, uint32(secondary))
		f.Write(regSubordinate, 1, 255) // until it is known what is behind
	}
	var nodes []*node
	if !s.seen[secondary] {
		nodes = s.onBus(secondary)
	}
	if !numbered {
		f.Write(regSubordinate, 1, uint32(s.next-1))
	}
	return nodes
}
