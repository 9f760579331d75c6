package qemu_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"regexp"

	"nuos/qemu"
	"nuos/qemu/tor"
)

// Three machines answer 127.0.0.1:6379 over links that lose every hundredth
// frame; one of them is pulled from the network, put back and restarted.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rack, err := qemu.Start(ctx, qemu.Options{
		Image:    "kv.elf",
		Machines: 3,
		Forward:  []qemu.Forward{{Listen: "127.0.0.1:6379", Port: 6379}},
		Faults:   tor.Faults{Loss: 0.01},
		Pcap:     "rack.pcap",
		Mirror:   os.Stderr,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer rack.Stop()
	log.Printf("seed of the faults: %#x", rack.Seed)

	serving := regexp.MustCompile(`serving`)
	for _, m := range rack.Machines() {
		if _, err := m.WaitConsole(ctx, serving); err != nil {
			log.Print(err)
			return
		}
	}
	m := rack.Machine(1)
	m.Port().SetFaults(tor.Faults{Down: true})
	m.Port().SetFaults(tor.Faults{})
	if err := m.Restart(); err != nil {
		log.Print(err)
		return
	}
	fmt.Println(m.IP(), m.Port().Stats().Lost)
}

// A test of a kernel needs no network.
func ExampleRun() {
	console, code, err := qemu.Run(context.Background(), qemu.Options{
		Image: "hello.elf", CPUs: 2, NoNIC: true, Params: []string{"GOGC=50"},
	})
	fmt.Println(console, code, err)
}

// Another program talks to a rack that runs.
func ExampleAttach() {
	rack, err := qemu.Attach(qemu.DefaultDir("nuos"))
	if err != nil {
		log.Fatal(err)
	}
	card, err := rack.Dial() // a network card on the rack's switch
	if err != nil {
		log.Fatal(err)
	}
	defer card.Close()
	fmt.Println(rack.Name, rack.Key, len(rack.Machines), card.Addr(), card.Info().MAC)
	rack.Stop(context.Background())
}
