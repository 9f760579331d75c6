package qemu

import (
	"os"
	"slices"
	"testing"
)

// TestEnvironment looks at what the emulator is told beside its arguments.
func TestEnvironment(t *testing.T) {
	const ours = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1"
	t.Setenv("NUOS_TEST_ENVIRONMENT", "kept")
	t.Setenv("GLIBC_TUNABLES", "") // and back afterwards
	os.Unsetenv("GLIBC_TUNABLES")
	if got := environment(); !slices.Contains(got, ours) || !slices.Contains(got, "NUOS_TEST_ENVIRONMENT=kept") {
		t.Errorf("%q: the tunables, or a variable, are lost", got)
	}
	t.Setenv("GLIBC_TUNABLES", "glibc.malloc.check=1")
	if got := environment(); slices.Contains(got, ours) || !slices.Contains(got, "GLIBC_TUNABLES=glibc.malloc.check=1") {
		t.Errorf("%q: the tunables are not the user's", got)
	}
}
