// Package x86 has the instructions that Go has no words for: ports, registers of
// the processor, registers of devices in memory.
//
// On metal they are assembly. Hosted, a test says what they do (Model), so that
// what it tests of a driver is the code that machines run.
//
// All may be used in any context: they allocate nothing and need no g.
//
// SDM is Intel's Software Developer's Manual.
package x86
