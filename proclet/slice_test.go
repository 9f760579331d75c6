package proclet

import (
	"fmt"
	"strings"
	"testing"
)

func TestSliceAgainstGo(t *testing.T) {
	rng := seeded(t)
	inHeap(t, 16<<20, func(th *Thread, s *root) {
		var want []string
		var ints []int32
		for range 20000 {
			switch op := rng.IntN(12); {
			case op < 6:
				var more []String
				for range rng.IntN(4) {
					w := fmt.Sprint("word ", rng.IntN(1000))
					more = append(more, View(w))
					want = append(want, w)
				}
				if err := s.texts.Append(th, more...); err != nil {
					t.Fatal(err)
				}
			case op < 9 && len(want) > 0:
				i := rng.IntN(len(want))
				want[i] = fmt.Sprint("new ", i)
				if err := s.texts.Set(th, i, View(want[i])); err != nil {
					t.Fatal(err)
				}
			case op == 9 && len(want) > 0:
				n := len(want) - rng.IntN(min(len(want), 30)+1)
				want = want[:n]
				s.texts.Truncate(th, n)
			default:
				v := rng.Int32()
				ints = append(ints, v)
				if err := s.list.Append(th, v); err != nil {
					t.Fatal(err)
				}
			}
		}
		if s.texts.Len() != len(want) || s.list.Len() != len(ints) {
			t.Fatalf("Len = %d, %d, want %d, %d", s.texts.Len(), s.list.Len(), len(want), len(ints))
		}
		for i, v := range s.texts.All() {
			if v.String() != want[i] {
				t.Fatalf("texts[%d] = %v, want %s", i, v, want[i])
			}
		}
		for i := range ints {
			if *s.list.At(i) != ints[i] {
				t.Fatalf("list[%d] = %d, want %d", i, *s.list.At(i), ints[i])
			}
		}
		s.texts.Free(th)
		s.list.Free(th)
	})
}

func TestStringAgainstGo(t *testing.T) {
	rng := seeded(t)
	inHeap(t, 1<<20, func(th *Thread, s *root) {
		want := ""
		for range 3000 {
			v := strings.Repeat("x", rng.IntN(100))
			switch rng.IntN(5) {
			case 0:
				want = v
				if err := s.text.Set(th, v); err != nil {
					t.Fatal(err)
				}
			case 1:
				want += want[:len(want)/2]
				if err := s.text.Append(th, s.text.String()[:s.text.Len()/2]); err != nil { // of itself
					t.Fatal(err)
				}
				if len(want) > 5000 {
					s.text.Free(th)
					want = ""
				}
			default:
				want += v
				if err := s.text.Append(th, v); err != nil {
					t.Fatal(err)
				}
			}
			if s.text.String() != want || s.text.Len() != len(want) {
				t.Fatalf("String of %d bytes, want %d", s.text.Len(), len(want))
			}
		}
		s.text.Free(th)
	})
}
