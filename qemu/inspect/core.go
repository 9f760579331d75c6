package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"nuos/qemu/monitor"
)

// Core is the memory of a machine in a file that QEMU's dump-guest-memory has
// written: an ELF core with physical memory in its segments and a note for each
// processor. As an io.ReaderAt it is memory by virtual address.
type Core struct {
	file       *os.File
	memory     []*elf.Prog
	processors []monitor.Registers
	root       uint64 // physical address of the page tables
}

// OpenCore opens a core. The caller closes it.
func OpenCore(path string) (*Core, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("inspect: core: %w", err)
	}
	c := &Core{file: file}
	if err := c.readHeaders(); err != nil {
		file.Close()
		return nil, fmt.Errorf("%w: %s: %w", ErrNotCore, path, err)
	}
	return c, nil
}

// Close closes the file.
func (c *Core) Close() error { return c.file.Close() }

// Processors returns the registers of all processors.
func (c *Core) Processors() []monitor.Registers { return c.processors }

func (c *Core) readHeaders() error {
	e, err := elf.NewFile(c.file)
	if err != nil {
		return err
	}
	if e.Type != elf.ET_CORE || e.Machine != elf.EM_X86_64 {
		return fmt.Errorf("%v %v", e.Type, e.Machine)
	}
	for _, p := range e.Progs {
		switch p.Type {
		case elf.PT_LOAD:
			c.memory = append(c.memory, p)
		case elf.PT_NOTE:
			b := make([]byte, min(p.Filesz, 1<<20))
			if _, err := io.ReadFull(p.Open(), b); err != nil {
				return err
			}
			c.readNotes(b)
		}
	}
	if len(c.processors) == 0 {
		return fmt.Errorf("no processors")
	}
	return nil
}

// processorState is QEMU's note of a processor (QEMU, target/i386/arch_dump.c,
// QEMUCPUState).
type processorState struct {
	Version, Size                               uint32
	AX, BX, CX, DX, SI, DI, SP, BP              uint64
	R8, R9, R10, R11, R12, R13, R14, R15        uint64
	IP, Flags                                   uint64
	CS, DS, ES, FS, GS, SS, LDT, TR, GDTR, IDTR segment
	CR                                          [5]uint64
	KernelGS                                    uint64
}

type segment struct {
	Selector, Limit, Flags, _ uint32
	Base                      uint64
}

// readNotes goes through a list of notes: three sizes, name and content, both of
// which end at a multiple of four bytes.
func (c *Core) readNotes(b []byte) {
	for len(b) >= 12 {
		name, size := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		at := 12 + (uint64(name)+3)&^3
		end := at + (uint64(size)+3)&^3
		if end > uint64(len(b)) {
			return
		}
		var p processorState
		if bytes.HasPrefix(b[12:], []byte("QEMU\x00")) && binary.Read(bytes.NewReader(b[at:end]), binary.LittleEndian, &p) == nil {
			c.processors = append(c.processors, monitor.Registers{IP: p.IP, SP: p.SP, BP: p.BP, GS: p.GS.Base})
			if c.root == 0 {
				c.root = p.CR[3] & frameMask
			}
		}
		b = b[end:]
	}
}

// ReadAt reads memory at a virtual address.
func (c *Core) ReadAt(p []byte, address int64) (n int, err error) {
	const page = 4096
	for n < len(p) {
		at := uint64(address) + uint64(n)
		physical, err := c.translate(at)
		if err != nil {
			return n, err
		}
		m := min(len(p)-n, int(page-at%page))
		if err := c.readPhysical(p[n:n+m], physical); err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

func (c *Core) readPhysical(p []byte, address uint64) error {
	for _, s := range c.memory {
		if address >= s.Paddr && address-s.Paddr < s.Filesz {
			_, err := s.ReadAt(p, int64(address-s.Paddr))
			return err
		}
	}
	return fmt.Errorf("physical %#x: %w", address, ErrUnmapped)
}

// Page tables (SDM vol. 3, 4.5).
const (
	frameMask    = 0x000F_FFFF_FFFF_F000
	entryPresent = 1 << 0
	entryLarge   = 1 << 7
)

// translate finds the physical address by four levels of page tables.
func (c *Core) translate(address uint64) (uint64, error) {
	table := c.root
	for shift := uint(39); ; shift -= 9 {
		var b [8]byte
		if err := c.readPhysical(b[:], table+address>>shift&511*8); err != nil {
			return 0, err
		}
		entry := binary.LittleEndian.Uint64(b[:])
		if entry&entryPresent == 0 {
			return 0, fmt.Errorf("%#x: %w", address, ErrUnmapped)
		}
		if shift == 12 || entry&entryLarge != 0 && shift < 39 {
			offset := uint64(1)<<shift - 1
			return entry&frameMask&^offset | address&offset, nil
		}
		table = entry & frameMask
	}
}
