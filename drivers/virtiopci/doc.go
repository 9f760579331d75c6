// Package virtiopci sets up virtio devices, version 1.x, that are functions of PCI: it finds
// their registers, negotiates features, hands over queues and rings their bells. What is in
// the queues is the drivers' business. Section numbers are those of "Virtual I/O Device
// (VIRTIO) Version 1.2", OASIS.
//
// The order of the calls is that of 3.1.1: Open, Offered, Accept, ReadConfig and QueueSize as
// needed, SetQueue and EnableQueue for each queue, Run. Close at any time stops the device.
//
// Invariants: memory that was handed to the device is not touched by it any more when Close
// has returned nil; if Close fails, that memory must never be used again. What the device
// says is checked before it is used: registers lie within its BARs, bells within its
// registers, and nothing it does not do is waited for longer than a second.
//
// Caveats: no devices of version 0 ("legacy"), no packed queues, no notification data. The
// methods of a Device are for one goroutine, but for those of its Bells.
package virtiopci
