//go:build metal

package boot

// stamp is filled in by the image writer. The initial value keeps it out of
// the zeroed data, which has no bytes in the file.
var stamp = Stamp{Version: StampVersion}
