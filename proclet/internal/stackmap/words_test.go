package stackmap

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"nuos/mm"
)

func TestCheckWords(t *testing.T) {
	r := anyRarity.(rare)
	heap := reflect.ValueOf(new([8]int)).Pointer()
	words := []struct {
		word uintptr
		want string
	}{
		{0, ""}, {1, ""}, {3, ""}, {1 << 63, ""}, {^uintptr(0), ""},
		{reflect.ValueOf(TestCheckWords).Pointer(), ""},
		{uintptr(unsafe.Pointer(&n)), ""},
		{uintptr(mm.HeapArea.Base) + 24, ""},
		{uintptr(mm.StackArea.Base) + 24, ""},
		{heap, "a pointer into the Go heap"},
		{heap + 13, "a pointer into the Go heap"},
		{*(*uintptr)(unsafe.Pointer(&r)), "an interface value of type stackmap.rare"},
		{*(*uintptr)(unsafe.Pointer(&anyConstant)), "made by package reflect"},
	}
	var memory []uintptr
	for _, w := range words {
		memory = append(memory, w.word)
	}
	base := uintptr(unsafe.Pointer(&memory[0]))
	whole := mm.Range{Base: mm.Virt(base), Size: uint64(8 * len(memory))}

	found := make([]string, len(words))
	CheckWords(whole, func(addr, value uintptr, what string) bool {
		i := (addr - base) / 8
		if value != memory[i] {
			t.Errorf("the word at %d is %#x; want %#x", i, value, memory[i])
		}
		found[i] = what
		return true
	})
	for i, w := range words {
		if found[i] != w.want && (w.want == "" || !strings.Contains(found[i], w.want)) {
			t.Errorf("%#x: found %q; want %q", w.word, found[i], w.want)
		}
	}

	calls := 0
	CheckWords(whole, func(uintptr, uintptr, string) bool { calls++; return false })
	if calls != 1 {
		t.Errorf("found was called %d times after it returned false; want once", calls)
	}
	CheckWords(mm.Range{Base: mm.Virt(base), Size: 7}, func(uintptr, uintptr, string) bool {
		t.Error("a word that is not in the range was found")
		return true
	})
	slices.Reverse(memory) // keeps it
}
