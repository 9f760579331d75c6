// Package gotest runs the tests of Go packages in virtual machines: in an image of
// nuos, and, to compare with, in a Linux guest under the same emulator.
//
// The measure of the kernel is what other people wrote: Go's own standard
// library tests. Run builds the tests of one package with the stock toolchain
// (boot/image), packs the files that tests look at into the boot archive, boots a
// machine without a network card, and reads what go tool test2json makes of the
// console. The tests run in the folder of their package, at the path that it has
// on this computer, as go test has it.
//
// The Linux guest (package linux) has the same archive and the same test binary but
// for nuos's part.
//
// exceptions.txt lists the tests that cannot pass in an image, each with its reason;
// one that passes all the same makes its package fail. Compare measures a package by what
// passes in the Linux guest. Time-outs are the same on both systems, and long:
// GO_TEST_TIMEOUT_SCALE, which some tests ask for, allows for the emulator.
//
// Output that a test writes straight to descriptor 1 or 2 and what it prints with
// testing's means share the console, as in go test.
package gotest
