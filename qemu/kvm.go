package qemu

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// Whether hardware virtualisation can be relied on. A /dev/kvm may exist
// without it (nested or para-virtual modules) and then starts firmware but
// stalls real guests, so the processor must have it and a guest must prove it.

// proofTimeout bounds the proof. The guest needs a third of a second.
const proofTimeout = 5 * time.Second

// proofCode is what the proving guest exits with.
const proofCode = 0x35

// KVMWorks reports whether KVM runs a guest to its end here. The first call
// of a process takes up to five seconds where a processor claims to be able,
// and no time elsewhere.
func KVMWorks() bool {
	kvm.once.Do(func() { kvm.works = proveKVM() })
	return kvm.works
}

var kvm struct {
	once  sync.Once
	works bool
}

func proveKVM() bool {
	cpuinfo, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || !regexp.MustCompile(`(?m)^flags\s*:.*\b(vmx|svm)\b`).Match(cpuinfo) {
		return false
	}
	if f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0); err != nil {
		return false
	} else {
		f.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), proofTimeout)
	defer cancel()
	return proves(ctx, "kvm", 1000) == nil
}

// accelerator resolves Options.Accel.
func accelerator(wanted string) string {
	switch {
	case wanted != "":
		return wanted
	case KVMWorks():
		return "kvm"
	default:
		return "tcg"
	}
}

// proves runs the proving guest and returns nil if it came to its end.
func proves(ctx context.Context, accel string, rounds uint32) error {
	dir, err := os.MkdirTemp("", "nuos-proof")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	image := filepath.Join(dir, "proof.elf")
	if err := os.WriteFile(image, proofGuest(rounds), 0o600); err != nil {
		return err
	}
	_, code, err := Run(ctx, Options{Image: image, Accel: accel, Memory: 16, CPU: "default", NoNIC: true})
	if err == nil && code != proofCode {
		err = ErrReset
	}
	return err
}

// proofGuest is a bootable file whose program counts, makes the hypervisor
// step in (a write to port 0x80, which nobody minds) `rounds` times and ends
// through the debug-exit device. Counting matters: the broken kind of KVM
// stalls after a while, not at once.
func proofGuest(rounds uint32) []byte {
	le := binary.LittleEndian
	code := append([]byte{0xbf}, le.AppendUint32(nil, rounds)...) // mov edi, rounds
	code = append(code,
		0xb9, 0x40, 0x42, 0x0f, 0x00, // round: mov ecx, 1000000
		0x49,       // count: dec ecx
		0x75, 0xfd, // jnz count
		0xe6, 0x80, // out 0x80, al
		0x4f,       // dec edi
		0x75, 0xf3, // jnz round
		0xba, 0xf4, 0x00, 0x00, 0x00, // mov edx, 0xf4
		0xb8, proofCode, 0x00, 0x00, 0x00, // mov eax, proofCode
		0xef,       // out dx, eax
		0xf4,       // stop: hlt
		0xeb, 0xfd, // jmp stop
	)
	return bareImage(code)
}

// bareImage is the smallest file that boots: 32-bit code with nothing around it.
func bareImage(code []byte) []byte {
	const load = 0x100000
	le := binary.LittleEndian
	// The note that makes a PVH loader start it in 32-bit mode at `load`
	// (Xen's public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY).
	note := le.AppendUint32(nil, 4)
	note = le.AppendUint32(note, 4)
	note = le.AppendUint32(note, 18)
	note = append(note, "Xen\x00"...)
	note = le.AppendUint32(note, load)

	const headers = 64 + 2*56
	codeAt := uint64(headers + len(note))
	var b bytes.Buffer
	binary.Write(&b, le, elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Entry: load, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2,
	})
	binary.Write(&b, le, elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Off: codeAt,
		Vaddr: load, Paddr: load, Filesz: uint64(len(code)), Memsz: uint64(len(code)), Align: 1})
	binary.Write(&b, le, elf.Prog64{Type: uint32(elf.PT_NOTE), Flags: uint32(elf.PF_R), Off: headers,
		Vaddr: load, Paddr: load, Filesz: uint64(len(note)), Memsz: uint64(len(note)), Align: 4})
	b.Write(note)
	b.Write(code)
	return b.Bytes()
}
