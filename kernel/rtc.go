//go:build metal

package kernel

import "nuos/kernel/internal/x86"

// wallClock reads the CMOS real-time clock (MC146818) and returns seconds since
// 1970, taking it to run in UTC; 0 if there is none.
func wallClock() int64 {
	var now, again [7]uint8
	for range 1000 {
		now = readRTC()
		again = readRTC()
		if now == again { // no update came between
			break
		}
	}
	if now != again || now[4] == 0 || now[4] == 0xFF {
		return 0
	}
	status := cmos(0xB)
	hour := now[2] & 0x7F
	pm := now[2]&0x80 != 0
	if status&4 == 0 { // binary-coded decimal
		for i := range now {
			now[i] = now[i]>>4*10 + now[i]&0xF
		}
		hour = hour>>4*10 + hour&0xF
	}
	if status&2 == 0 { // 12-hour clock
		hour %= 12
		if pm {
			hour += 12
		}
	}
	year := int64(now[5]) + 2000
	return (daysSince1970(year, int64(now[4]), int64(now[3]))*24+int64(hour))*3600 +
		int64(now[1])*60 + int64(now[0])
}

// readRTC reads seconds, minutes, hours, day, month, year, weekday.
func readRTC() (r [7]uint8) {
	for i, reg := range [7]uint8{0, 2, 4, 7, 8, 9, 6} {
		r[i] = cmos(reg)
	}
	return r
}

// cmos reads a register of the clock with non-maskable interrupts enabled.
func cmos(reg uint8) uint8 {
	x86.Out8(0x70, reg)
	return x86.In8(0x71)
}
