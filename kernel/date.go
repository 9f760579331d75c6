package kernel

// daysSince1970 counts the days from 1970-01-01 to a date of the Gregorian
// calendar. Years begin in March here, so that the leap day comes last.
func daysSince1970(year, month, day int64) int64 {
	if month <= 2 {
		year, month = year-1, month+12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - 719468
}
