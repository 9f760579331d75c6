// Package acpi reads the few ACPI tables that a kernel needs before it can do
// anything else: which processors and interrupt controllers there are (MADT),
// where PCI configuration space lies (MCFG), what counts time (FADT, HPET).
// It interprets no AML.
//
// It runs before the Go runtime is up: it allocates nothing, writes no pointers
// and keeps its results in fixed-size arrays. Every length is checked against
// its table and every table against its checksum; a table that is not right is
// counted and treated as absent, and what does not fit is counted too. Parse
// never fails: a machine without ACPI has empty Tables.
//
// The section numbers are those of the ACPI Specification 6.5.
package acpi
