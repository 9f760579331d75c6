//go:build !metal

package virtio

import (
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"nuos/drivers/virtiopci"
	"nuos/mm"
)

// openAgainst opens a device whose back-end has already said everything that
// it will ever say, and gone.
func openAgainst(t testing.TB, said []byte) (*Device, error) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	if _, err := unix.Write(fds[1], said); err != nil {
		t.Fatal(err)
	}
	// No more will come, but what the driver says is still taken.
	if err := unix.Shutdown(fds[1], unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	return open(&vhostUser{path: "test", socket: socket{fds[0]}, kicks: [2]int{-1, -1}}, options{queue: 8})
}

func reply(r request, flags uint32, payload ...byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(r))
	b = binary.NativeEndian.AppendUint32(b, flags)
	return append(binary.NativeEndian.AppendUint32(b, uint32(len(payload))), payload...)
}

func replyU64(r request, v uint64) []byte {
	return reply(r, flagVersion|flagReply, binary.NativeEndian.AppendUint64(nil, v)...)
}

func TestBadBackend(t *testing.T) {
	join := func(messages ...[]byte) (b []byte) {
		for _, m := range messages {
			b = append(b, m...)
		}
		return b
	}
	for _, c := range []struct {
		name string
		said []byte
		want error
	}{
		{"gone at once", nil, ErrBackend},
		{"half a header", make([]byte, 5), ErrBackend},
		{"another answer", replyU64(getVringBase, featVersion1), ErrBackend},
		{"no reply", reply(getFeatures, flagVersion, 1, 2, 3, 4, 5, 6, 7, 8), ErrBackend},
		{"short", reply(getFeatures, flagVersion|flagReply, 1, 2), ErrBackend},
		{"long", reply(getFeatures, flagVersion|flagReply, make([]byte, 1000)...), ErrBackend},
		{"legacy", replyU64(getFeatures, 1<<28), virtiopci.ErrLegacy},
		{"gone after features", replyU64(getFeatures, featVersion1), ErrBackend},
		{"no configuration", join(replyU64(getFeatures, featVersion1|featProtocol|featMAC),
			replyU64(getProtocolFeatures, protocolConfig), reply(getConfig, flagVersion|flagReply)), ErrBackend},
	} {
		if _, err := openAgainst(t, c.said); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", c.name, err, c.want)
		}
	}
	// One that answers the little it must is a device.
	d, err := openAgainst(t, join(replyU64(getFeatures, featVersion1), replyU64(getFeatures, featVersion1),
		replyU64(getVringBase, 0), replyU64(getVringBase, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if i := d.Info(); i.MTU != usualMTU || i.MAC[0]&3 != 2 {
		t.Errorf("Info = %+v; want an MTU of %d and a made-up address", i, usualMTU)
	}
	if err := d.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}

// FuzzBackend lets a back-end say anything.
func FuzzBackend(f *testing.F) {
	f.Add([]byte{})
	f.Add(append(replyU64(getFeatures, everything), replyU64(getFeatures, everything)...))
	f.Add(append(replyU64(getFeatures, everything|featProtocol), replyU64(getProtocolFeatures, protocolConfig)...))
	mm.Frames() // makes the machine's memory
	f.Fuzz(func(t *testing.T, said []byte) {
		if len(said) > 4096 {
			return
		}
		before := mm.Frames().DMA
		if d, err := openAgainst(t, said); err == nil {
			d.Close()
		}
		if after := mm.Frames().DMA; after != before {
			t.Errorf("%d frames of device memory afterwards; want %d", after, before)
		}
	})
}
