//go:build metal

package kernel

import "syscall"

// eventfd is eventfd2(2).
func eventfd(initial, flags uint64) uint64 {
	const semaphore = 1
	if flags&^(semaphore|syscall.O_NONBLOCK|syscall.O_CLOEXEC) != 0 {
		return errno(eINVAL)
	}
	fd := newFile(fileEvent, uint32(flags&(syscall.O_NONBLOCK|syscall.O_CLOEXEC))|syscall.O_RDWR)
	if f := fileOf(int32(fd)); f != nil {
		f.count = uint64(uint32(initial))
		f.semaphore = flags&semaphore != 0
	}
	return fd
}

// eventMost is the largest count; one more and a write has to wait.
const eventMost = 1<<64 - 2

func (c *cpu) readEvent(t *thread, f *file, buf, n uint64) uint64 {
	switch {
	case n < 8:
		return errno(eINVAL)
	case f.count == 0:
		return c.waitFor(t, f)
	}
	take := f.count
	if f.semaphore {
		take = 1
	}
	if !storeUser64(buf, take) {
		return errno(eFAULT)
	}
	f.count -= take
	notify(f, syscall.EPOLLOUT)
	return 8
}

func (c *cpu) writeEvent(t *thread, f *file, buf, n uint64) uint64 {
	if n != 8 {
		return errno(eINVAL)
	}
	v, ok := loadUser64(buf)
	switch {
	case !ok:
		return errno(eFAULT)
	case v > eventMost:
		return errno(eINVAL)
	case v > eventMost-f.count:
		return c.waitFor(t, f)
	}
	f.count += v
	notify(f, syscall.EPOLLIN)
	return 8
}

// signalEvent adds one to the eventfd behind a descriptor, if it is one.
func signalEvent(fd int32) {
	if f := fileOf(fd); f != nil && f.kind == fileEvent {
		signalEventFile(f)
	}
}

func signalEventFile(f *file) {
	if f.count < eventMost {
		f.count++
	}
	notify(f, syscall.EPOLLIN)
}
