package unix

import "syscall"

const (
	eINVAL = syscall.EINVAL
	eFAULT = syscall.EFAULT
	eAGAIN = syscall.EAGAIN
)

// vector is the program's memory that bytes come from or go to: one range, or
// those of an array of struct iovec.
type vector struct {
	addr, size uintptr // the current range
	rest, left uintptr // the array's rest, and how many are in it
}

const (
	maxVector   = 1024 // UIO_MAXIOV
	maxTransfer = 1<<31 - PageSize
)

// setArray makes v the array of n at addr and returns the sum of the sizes.
func (v *vector) setArray(addr, n uintptr) (total uintptr, e syscall.Errno) {
	if n > maxVector {
		return 0, syscall.EMSGSIZE
	}
	*v = vector{rest: addr, left: n}
	for w := *v; w.left > 0; {
		if !w.next() {
			return 0, eFAULT
		}
		if w.size > maxTransfer {
			return 0, eINVAL
		}
		total += w.size
	}
	return min(total, maxTransfer), 0
}

// next goes to the next range, which is there; false if it cannot be read.
func (v *vector) next() bool {
	if !load(v.rest, 16) {
		return false
	}
	v.addr, v.size = uintptr(scratch64(0)), uintptr(scratch64(8))
	v.rest += 16
	v.left--
	return true
}

// move copies n bytes between v and addr, to addr if in. It returns how many were
// copied, which is fewer if memory cannot be reached or v ends.
func (v *vector) move(addr, n uintptr, in bool) (done uintptr) {
	for done < n {
		if v.size == 0 {
			if v.left == 0 || !v.next() {
				break
			}
			continue
		}
		k := min(v.size, n-done)
		ok := false
		if in {
			ok = kernel.Copy(addr+done, v.addr, k)
		} else {
			ok = kernel.Copy(v.addr, addr+done, k)
		}
		if !ok {
			break
		}
		v.addr += k
		v.size -= k
		done += k
	}
	return done
}
