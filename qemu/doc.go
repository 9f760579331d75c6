// Package qemu starts racks of machines on one computer: emulated ones, or the
// same programs as ordinary processes (hosted).
//
// Start starts a rack: machines, each with a network card whose cable ends in
// a switch inside this process (package tor), and around them a gateway, a
// DHCP server and forwarded ports. Nothing of it needs privileges. Run starts
// one machine and waits for its exit code. Attach finds a rack that another
// process started.
//
// # What a machine is told
//
// A rack gives its machines boot parameters: rack=, key= (random, new for every
// rack), machines=, ip=, and to hosted ones also nic=, host= and mem=. Words of
// Options.Params come after those, so they win, and may be parameters,
// environment variables (with a capital letter) and, after "--", arguments. A
// machine that ignores ip= and asks for an address by DHCP gets the same one.
//
//	10.77.0.1          this process (Rack.Host), the gateway
//	10.77.0.10 + i     machine i, card 02:6e:75:6f:73:(10+i)
//	10.77.0.200 - 249  programs that dial the switch (Running.Dial)
//
// Racks do not see each other, so all have the same addresses.
//
// The sockets of hosted machines are this computer's. Each machine is told an
// address of 127.0.0.0/8 to listen at (host=), and ports are forwarded there.
//
// # What is left behind
//
// Every machine is a child in a process group of its own that the operating
// system kills when this process ends, however it ends (prctl(2),
// PR_SET_PDEATHSIG). Stop, and the end of Start's context, also remove the
// sockets and the state from the rack's folder; after a kill -9 the next Start
// there does. Captures stay, and console logs until the next Start in the
// folder. An empty lock file stays too: it is what shows whether a launcher
// lives.
//
// # Caveats
//
// An emulated machine's processors run with low priority (niceness 10),
// because those that poll would otherwise take the time of the threads that
// move their frames. On a computer that is busy with other things a rack is
// therefore slower than those.
//
// The exit code of an emulated machine has 7 bits.
//
// Pause stops the whole process of a machine, so its clock jumps when it is
// resumed.
package qemu
