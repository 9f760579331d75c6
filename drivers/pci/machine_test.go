//go:build !metal

package pci_test

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"nuos/boot/image"
	"nuos/qemu"
)

// TestMachines boots testdata/list where firmware assigns addresses (SeaBIOS of q35
// and pc) and where none does (qboot), with network cards on the first bus and
// behind a port. The time limit is for machines that hang.
func TestMachines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list.elf")
	if _, err := image.Build(t.Context(), image.Options{Package: "./testdata/list", Output: file}); err != nil {
		t.Fatal(err)
	}
	behind := []string{"-device", "pcie-root-port,id=rp0,chassis=1,addr=5", "-device", "virtio-net-pci,bus=rp0"}
	tests := []struct {
		name  string
		o     qemu.Options
		cards int
		code  int
	}{
		{"q35", qemu.Options{MachineType: "q35", Firmware: "seabios", ExtraArgs: behind}, 2, 0},
		{"pc", qemu.Options{MachineType: "pc", Firmware: "seabios"}, 1, 0},
		{"q35 qboot", qemu.Options{MachineType: "q35", Firmware: "qboot", ExtraArgs: behind}, 2, 0},
		{"pc qboot", qemu.Options{MachineType: "pc", Firmware: "qboot"}, 1, 0},
		{"microvm", qemu.Options{MachineType: "microvm", ExtraArgs: behind}, 2, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			o := test.o
			o.Image, o.NoNIC, o.Accel = file, true, "tcg"
			o.ExtraArgs = append([]string{"-device", "virtio-net-pci,addr=3"}, o.ExtraArgs...)
			console, code, err := qemu.Run(ctx, o)
			if err != nil || code != test.code || !strings.HasSuffix(strings.TrimSpace(console), "done") {
				t.Errorf("exit code %d, %v, want %d", code, err, test.code)
			}
			console = strings.ReplaceAll(console, "\r", "")
			// The offered features: neither 0 nor all ones, which is read where
			// nobody answers.
			answers := regexp.MustCompile(`(?m)^  register 4 of BAR 4 is 0x[1-9a-e][0-9a-f]{4,7}$`).FindAllString(console, -1)
			messages := regexp.MustCompile(`(?m)^  [34] interrupt messages$`).FindAllString(console, -1)
			if len(answers) != test.cards || len(messages) != test.cards {
				t.Errorf("%d cards answer, %d have messages, want %d", len(answers), len(messages), test.cards)
			}
			t.Logf("%s", console)
		})
	}
}
