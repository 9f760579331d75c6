//go:build !metal

package port_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"nuos/drivers/nic"
	"nuos/drivers/nic/port"
	"nuos/drivers/nic/virtio"
	"nuos/qemu/tor"
)

// TestHosted exercises a machine that is an ordinary process, whose NIC is a
// port of the switch.
func TestHosted(t *testing.T) {
	program := filepath.Join(workDir, "echo")
	if out, err := exec.Command("go", "build", "-o", program, "./testdata/echo").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sw := tor.New(1)
	defer sw.Close()
	socket := filepath.Join(workDir, "switch")
	if err := sw.AddPort("machine").ListenVhostUser(socket, tor.NetConfig{MAC: machineMAC, MTU: 9000}); err != nil {
		t.Fatal(err)
	}
	end, err := sw.AddPort("test").ConnectPair()
	if err != nil {
		t.Fatal(err)
	}
	cable, err := net.FileConn(end)
	end.Close()
	if err != nil {
		t.Fatal(err)
	}
	m := start(t, program, "nic=vhost-user:"+socket, "ip=10.0.0.1/24")
	m.plug(cable)
	m.exercise()
	if status := m.exitStatus(); status != 0 {
		t.Errorf("the machine ended with status %d; want 0", status)
	}
}

// TestPortsOnSwitch has several goroutines on each of two ports send to the
// other, wait for what comes from there, and poll meanwhile, against the pumps.
func TestPortsOnSwitch(t *testing.T) {
	sw := tor.New(1)
	defer sw.Close()
	var ports [2]*port.Port
	for i := range ports {
		socket := filepath.Join(workDir, fmt.Sprintf("port%d", i))
		mac := net.HardwareAddr{2, 0, 0, 0, 1, byte(i)}
		if err := sw.AddPort(socket).ListenVhostUser(socket, tor.NetConfig{MAC: mac, MTU: 9000}); err != nil {
			t.Fatal(err)
		}
		dev, err := virtio.OpenVhostUser(socket)
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = port.New(dev, netip.Prefix{})
		defer ports[i].Close()
	}
	const lanes, rounds = 4, 1000
	var arrived [2][lanes]chan uint32
	for side, p := range ports {
		for lane := range lanes {
			arrived[side][lane] = make(chan uint32, 1) // there is one frame at a time
		}
		p.Claim(func(f []byte) bool { return len(f) >= 19 && f[12] == 0x88 && f[13] == 0xb5 }, func(f []byte) {
			arrived[side][f[14]] <- binary.BigEndian.Uint32(f[15:])
		})
	}
	var wg sync.WaitGroup
	for side, p := range ports {
		for lane := range byte(lanes) {
			wg.Go(func() {
				to, from := ports[1-side].MAC(), p.MAC()
				f := append(append(append([]byte{}, to[:]...), from[:]...), 0x88, 0xb5, lane)
				f = append(f, make([]byte, 100*int(lane)*20+45)...)
				for n := range uint32(rounds) {
					if side == 0 || n > 0 {
						// Side 1 answers n-1, side 0 says n.
						binary.BigEndian.PutUint32(f[15:], n-uint32(side))
						for p.Send([]nic.Packet{{Head: f}}) == 0 {
							runtime.Gosched()
						}
					}
					if side == 0 && n == rounds-1 {
						return
					}
					p.Poll()
					if got := <-arrived[side][lane]; got != n {
						t.Errorf("side %d, lane %d: got %d; want %d", side, lane, got, n)
						return
					}
				}
			})
		}
	}
	wg.Wait()
}
