package virtiopci

import "errors"

// Errors of setting up a device, wrapped with the details.
var (
	// ErrLegacy means that the device does not speak version 1 of virtio.
	ErrLegacy = errors.New("virtio: device lacks VIRTIO_F_VERSION_1")
	// ErrRefused means that the device does not accept our features.
	ErrRefused = errors.New("virtio: device refuses the features it offered")
	// ErrQueue means that the device lacks a queue that can be used.
	ErrQueue = errors.New("virtio: device has no usable queue")
	// ErrDevice means that the device does not do what it is told.
	ErrDevice = errors.New("virtio: device fails")
)
