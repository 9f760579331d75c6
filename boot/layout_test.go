package boot_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"
	"unsafe"

	"nuos/boot"
	"nuos/mm"
)

// TestLayoutHeader compares what assembly and Go say about the same numbers.
func TestLayoutHeader(t *testing.T) {
	src, err := os.ReadFile("layout.h")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, m := range regexp.MustCompile(`(?m)^#define (\w+)\s+\$?(\w+)`).FindAllStringSubmatch(string(src), -1) {
		if got[m[1]], err = strconv.ParseUint(m[2], 0, 64); err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
	}
	for name, want := range map[string]uint64{
		"DIRECT_MAP":       boot.DirectMap,
		"DIRECT_SLOT":      boot.DirectMap >> 39 & 511,
		"STACK_SIZE":       boot.StackSize,
		"PT_IMAGE_COUNT":   boot.ImageLimit >> 21,
		"TABLES_SIZE":      got["PT_IMAGE"] + got["PT_IMAGE_COUNT"]<<12 + 1<<12,
		"STAMP_SELF":       uint64(unsafe.Offsetof(boot.Stamp{}.Self)),
		"STAMP_START":      uint64(unsafe.Offsetof(boot.Stamp{}.Start)),
		"STAMP_END":        uint64(unsafe.Offsetof(boot.Stamp{}.End)),
		"STAMP_MIN_MEMORY": uint64(unsafe.Offsetof(boot.Stamp{}.MinMemory)),
		"STAMP_VERSION":    boot.StampVersion,
	} {
		if got[name] != want {
			t.Errorf("%s = %#x, want %#x", name, got[name], want)
		}
	}
}

func TestLayout(t *testing.T) {
	if boot.DirectMap != mm.DirectArea.Base {
		t.Errorf("DirectMap = %#x, want %#x as mm has it", uint64(boot.DirectMap), mm.DirectArea.Base)
	}
	if got := unsafe.Sizeof(boot.Stamp{}); got != boot.StampSize {
		t.Errorf("StampSize = %d, want %d", boot.StampSize, got)
	}
}

func TestBuildID(t *testing.T) {
	id := boot.BuildID()
	if id == [32]byte{} || id != boot.BuildID() {
		t.Errorf("BuildID() = %x, then %x", id, boot.BuildID())
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		status int
		want   uint8
	}{{0, 0}, {1, 1}, {119, 119}, {120, 119}, {255, 119}, {-1, 119}} {
		if got := boot.ExitCode(c.status); got != c.want {
			t.Errorf("ExitCode(%d) = %d, want %d", c.status, got, c.want)
		}
	}
	for code := range 128 {
		if got, ok := boot.FromQEMU(code<<1 | 1); got != uint8(code) || !ok {
			t.Errorf("FromQEMU(%d) = %d, %v", code<<1|1, got, ok)
		}
	}
	for _, status := range []int{0, 2, -1, 256, 257} {
		if code, ok := boot.FromQEMU(status); ok {
			t.Errorf("FromQEMU(%d) = %d, want none", status, code)
		}
	}
}
