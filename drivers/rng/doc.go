// Package rng gives the kernel the random numbers of a virtio entropy device. Importing it
// into an image is all there is to do; the builder does so for programs that import
// crypto/rand. Section numbers are those of the Virtual I/O Device Specification 1.2.
//
// A program on a machine whose processor has no random numbers does not start before those
// of the device are there. Elsewhere they are mixed in while the program runs.
//
// The device is asked once, for more than is enough, and then let alone. What it wrote is
// counted as it says; that much is its owner's word, and mixing does no harm. What it says
// of lengths and positions is checked, and a device that does not stop keeps its page.
package rng
