package stackmap

func (s *site) mayRead(off uintptr) bool { return true }
