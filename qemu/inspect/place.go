package inspect

import (
	"debug/dwarf"
	"fmt"
)

// place is a point in the program, in a function.
type place struct {
	pc, entry uint64 // 0: of a function that was inlined
	function  string
	file      string
	line      int
}

func (p place) String() string {
	switch {
	case p.function == "":
		return fmt.Sprintf("%#x", p.pc)
	case p.file == "":
		return p.function
	case p.pc == 0:
		return fmt.Sprintf("%s (inlined)  %s:%d", p.function, p.file, p.line)
	}
	return fmt.Sprintf("%s+%#x  %s:%d", p.function, p.pc-p.entry, p.file, p.line)
}

// places finds the point before pc, a return address: the function there, last, and
// before it those that were inlined, the innermost first. Nothing is found outside
// of the program.
func (s *Symbols) places(pc uint64) (found []place) {
	f := s.functions.PCToFunc(pc - 1)
	if f == nil {
		return nil
	}
	file, line, _ := s.functions.PCToLine(pc - 1)
	calls := s.inlined(f.Entry, pc-1)
	for i := len(calls) - 1; i >= 0; i-- {
		found = append(found, place{function: calls[i].function, file: file, line: line})
		file, line = calls[i].file, calls[i].line
	}
	return append(found, place{pc, f.Entry, f.Name, file, line})
}

// place is the innermost of places.
func (s *Symbols) place(pc uint64) place {
	if p := s.places(pc); len(p) > 0 {
		return p[0]
	}
	return place{pc: pc}
}

// inlinedCall is a call that was replaced by the code of the function called; file
// and line are those of the call.
type inlinedCall struct {
	function, file string
	line           int
}

// inlined lists the calls around pc in the function that begins at entry, the
// outermost first. Without what DWARF should say there are none.
func (s *Symbols) inlined(entry, pc uint64) (calls []inlinedCall) {
	at, ok := s.subprograms[entry]
	if !ok {
		return nil
	}
	r := s.data.Reader()
	r.Seek(at.offset)
	if e, err := r.Next(); err != nil || e == nil || !e.Children {
		return nil
	}
	for {
		e, err := r.Next()
		if err != nil || e == nil || e.Tag == 0 {
			return calls
		}
		if e.Tag == dwarf.TagInlinedSubroutine && s.contains(e, pc) {
			file, _ := e.Val(dwarf.AttrCallFile).(int64)
			line, _ := e.Val(dwarf.AttrCallLine).(int64)
			calls = append(calls, inlinedCall{s.origin(e), s.file(at.unit, int(file)), int(line)})
			if !e.Children {
				return calls
			}
			continue // with what is inside
		}
		if e.Children {
			r.SkipChildren()
		}
	}
}

func (s *Symbols) contains(e *dwarf.Entry, pc uint64) bool {
	ranges, err := s.data.Ranges(e)
	if err != nil {
		return false
	}
	for _, r := range ranges {
		if pc >= r[0] && pc < r[1] {
			return true
		}
	}
	return false
}

// origin is the name of the function that was inlined.
func (s *Symbols) origin(e *dwarf.Entry) string {
	offset, _ := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
	r := s.data.Reader()
	r.Seek(offset)
	e, err := r.Next()
	if err != nil || e == nil {
		return "?"
	}
	name, _ := e.Val(dwarf.AttrName).(string)
	return name
}

// file is the name of a file by its number in a compilation unit.
func (s *Symbols) file(unit *dwarf.Entry, number int) string {
	lines, err := s.data.LineReader(unit)
	if err != nil || lines == nil {
		return "?"
	}
	if files := lines.Files(); number < len(files) && files[number] != nil {
		return files[number].Name
	}
	return "?"
}
