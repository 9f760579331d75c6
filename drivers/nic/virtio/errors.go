package virtio

import "errors"

// ErrBackend means that a vhost-user back-end went away or answered what the protocol does
// not allow. The other errors of opening a device are those of package virtiopci, whichever
// way the device is reached. All are wrapped with the details.
var ErrBackend = errors.New("virtio: bad vhost-user back-end")
