package inspect

import (
	"debug/dwarf"
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"nuos/boot"
)

// Symbols are those of an image. They do not change and may be used concurrently.
type Symbols struct {
	id           [32]byte // of the image
	stamp        uint64   // address of boot.stamp, where the image says who it is
	functions    *gosym.Table
	signalReturn uint64
	data         *dwarf.Data
	variables    map[string]variable
	constants    map[string]int64
	// enums has the names of constants by the names of their types.
	enums       map[string]map[int64]string
	types       map[string]dwarf.Offset
	subprograms map[uint64]subprogram // by entry
}

// subprogram is where DWARF has a function.
type subprogram struct {
	unit   *dwarf.Entry
	offset dwarf.Offset
}

type variable struct {
	address uint64
	typ     dwarf.Offset
}

// ReadSymbols reads the file with an image's symbols.
func ReadSymbols(path string) (*Symbols, error) {
	f, err := elf.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w (%s)", ErrNoSymbols, path)
	}
	if err != nil {
		return nil, fmt.Errorf("inspect: symbols: %w", err)
	}
	defer f.Close()
	s := &Symbols{
		variables: map[string]variable{}, constants: map[string]int64{},
		enums: map[string]map[int64]string{}, types: map[string]dwarf.Offset{},
		subprograms: map[uint64]subprogram{},
	}
	for _, read := range []func(*elf.File) error{s.readFunctions, s.readData, s.readStamp} {
		if err := read(f); err != nil {
			return nil, fmt.Errorf("inspect: symbols in %s: %w", path, err)
		}
	}
	return s, nil
}

func (s *Symbols) readFunctions(f *elf.File) error {
	text, table := f.Section(".text"), f.Section(".gopclntab")
	if text == nil || table == nil {
		return errors.New("no table of functions")
	}
	b, err := table.Data()
	if err != nil {
		return err
	}
	if s.functions, err = gosym.NewTable(nil, gosym.NewLineTable(b, text.Addr)); err != nil {
		return err
	}
	if f := s.functions.LookupFunc(signalReturn); f != nil {
		s.signalReturn = f.Entry
	}
	return nil
}

// readData reads what DWARF says of variables, constants and types. All of them are
// children of compilation units.
func (s *Symbols) readData(f *elf.File) (err error) {
	if s.data, err = f.DWARF(); err != nil {
		return err
	}
	r := s.data.Reader()
	var unit *dwarf.Entry
	for {
		e, err := r.Next()
		if err != nil || e == nil {
			return err
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		typ, _ := e.Val(dwarf.AttrType).(dwarf.Offset)
		switch e.Tag {
		case dwarf.TagCompileUnit:
			unit = e
			continue
		case dwarf.TagSubprogram:
			if low, ok := e.Val(dwarf.AttrLowpc).(uint64); ok {
				s.subprograms[low] = subprogram{unit, e.Offset}
			}
		case dwarf.TagVariable:
			const opAddr = 3 // DW_OP_addr
			if at, _ := e.Val(dwarf.AttrLocation).([]byte); len(at) == 9 && at[0] == opAddr {
				s.variables[name] = variable{binary.LittleEndian.Uint64(at[1:]), typ}
			}
		case dwarf.TagConstant:
			v, _ := e.Val(dwarf.AttrConstValue).(int64)
			s.constants[name] = v
			if err := s.addEnum(typ, v, name); err != nil {
				return err
			}
		case dwarf.TagTypedef:
			s.types[name] = e.Offset
		}
		if e.Children {
			r.SkipChildren()
		}
	}
}

func (s *Symbols) addEnum(typ dwarf.Offset, v int64, name string) error {
	r := s.data.Reader()
	r.Seek(typ)
	e, err := r.Next()
	if err != nil || e == nil {
		return err
	}
	of, _ := e.Val(dwarf.AttrName).(string)
	if s.enums[of] == nil {
		s.enums[of] = map[int64]string{}
	}
	s.enums[of][v] = name
	return nil
}

// stampIDOffset is where boot.Stamp has the identity: at its end.
const stampIDOffset = boot.StampSize - 32

// readStamp finds out which image the symbols are of.
func (s *Symbols) readStamp(f *elf.File) error {
	all, err := f.Symbols()
	if err != nil {
		return err
	}
	for _, symbol := range all {
		if symbol.Name != "nuos/boot.stamp" {
			continue
		}
		s.stamp = symbol.Value
		for _, p := range f.Progs {
			if p.Type == elf.PT_LOAD && symbol.Value >= p.Vaddr && symbol.Value+boot.StampSize <= p.Vaddr+p.Filesz {
				_, err := p.ReadAt(s.id[:], int64(symbol.Value-p.Vaddr+stampIDOffset))
				return err
			}
		}
	}
	return errors.New("no stamp")
}
