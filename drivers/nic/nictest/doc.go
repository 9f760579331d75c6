// Package nictest is an Ethernet segment in memory: any number of nic.Devices
// on one learning switch, for tests that want several machines in one process.
//
// Each direction between two devices may lose, repeat, delay, reorder, corrupt
// and truncate frames, by dice whose seed is logged.
//
// Everything that waits does so on channels and timers, so a segment made
// inside a testing/synctest bubble lives in its virtual time. A segment must
// not be made outside a bubble and used inside.
//
// Invariants: without faults every frame arrives once and in order, or is
// counted in Segment.Dropped because the receiver's queue was full. Gather
// ranges are read as memory while Send runs; any mapped address will do, so
// this device does not find out that a range is unknown to mm.
package nictest
