package tor

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxRegions is how many pieces a front-end's memory may have, the limit of
// the protocol without CONFIGURE_MEM_SLOTS.
const maxRegions = 8

// region is a piece of the front-end's memory, mapped here. The front-end
// names it by device addresses in descriptors and by its own virtual
// addresses for rings.
type region struct {
	device, user, size uint64
	bytes              []byte // of the region itself
	mapping            []byte // what was mapped, from the start of the file
}

// memory is all that a front-end shares. It is not changed once made. Bytes in
// it change at any time and may even vanish (a file that was cut shorter):
// whoever touches them does so within guarded.
type memory struct{ regions []region }

// mapMemory maps the regions of a SET_MEM_TABLE message and closes its
// descriptors.
func mapMemory(m *message) (mem *memory, err error) {
	defer m.closeFDs()
	const each = 32
	if len(m.payload) < 8 {
		return nil, fmt.Errorf("%w: memory table of %d bytes", ErrProtocol, len(m.payload))
	}
	n := int(binary.NativeEndian.Uint32(m.payload))
	if n < 1 || n > maxRegions || len(m.fds) != n || len(m.payload) < 8+n*each {
		return nil, fmt.Errorf("%w: memory table of %d regions, %d descriptors, %d bytes", ErrProtocol, n, len(m.fds), len(m.payload))
	}
	mem = &memory{}
	defer func() {
		if err != nil {
			mem.unmap()
		}
	}()
	for i, fd := range m.fds {
		entry := m.payload[8+i*each:]
		r := region{
			device: binary.NativeEndian.Uint64(entry),
			size:   binary.NativeEndian.Uint64(entry[8:]),
			user:   binary.NativeEndian.Uint64(entry[16:]),
		}
		offset := binary.NativeEndian.Uint64(entry[24:])
		const most = 1 << 46 // what can be mapped at all
		if r.size == 0 || r.size > most || offset > most || r.device+r.size < r.device || r.user+r.size < r.user {
			return mem, fmt.Errorf("%w: memory region %+v at offset %#x", ErrProtocol, r, offset)
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || uint64(st.Size) < offset+r.size {
			return mem, fmt.Errorf("%w: memory region of %#x bytes at %#x is not in its file", ErrProtocol, r.size, offset)
		}
		r.mapping, err = unix.Mmap(fd, 0, int(offset+r.size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return mem, fmt.Errorf("tor: map the front-end's memory: %w", err)
		}
		r.bytes = r.mapping[offset:]
		mem.regions = append(mem.regions, r)
	}
	return mem, nil
}

func (mem *memory) unmap() {
	if mem == nil {
		return
	}
	for _, r := range mem.regions {
		unix.Munmap(r.mapping)
	}
}

// atDevice returns size bytes at a device address, nil if they are not all in
// one region.
func (mem *memory) atDevice(address uint64, size uint32) []byte {
	for i := range mem.regions {
		if r := &mem.regions[i]; address-r.device < r.size {
			return r.slice(address-r.device, uint64(size))
		}
	}
	return nil
}

// atUser returns size bytes at an address of the front-end's own, aligned as
// asked, or nil.
func (mem *memory) atUser(address, size, align uint64) unsafe.Pointer {
	for i := range mem.regions {
		if r := &mem.regions[i]; address-r.user < r.size {
			if b := r.slice(address-r.user, size); b != nil && uintptr(unsafe.Pointer(&b[0]))%uintptr(align) == 0 {
				return unsafe.Pointer(&b[0])
			}
			return nil
		}
	}
	return nil
}

func (r *region) slice(offset, size uint64) []byte {
	if size == 0 || size > r.size-offset {
		return nil
	}
	return r.bytes[offset : offset+size : offset+size]
}
