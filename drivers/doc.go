// Package drivers holds what speaks to hardware: pci finds devices, nic drives
// network cards, rng asks entropy devices. It has no code of its own.
//
// Drivers poll and never block; the memory that they share with a device comes
// from mm and is not trusted after the device has written to it.
package drivers
