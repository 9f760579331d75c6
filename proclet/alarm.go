package proclet

// alarm is what a Timer and a Ticker have in common: a time at which it rings. It
// costs nothing while nobody waits: it rings when somebody looks, and each of
// those who wait looks when it is time.
type alarm struct {
	latch  latch // guards the rest
	on     bool
	when   clock // when it rings; a Timer's may have passed
	period clock // of a Ticker; 0 for a Timer
	queue  waitQueue
}

// What those who waited have got.
const (
	alarmStopped = iota
	alarmRang
	alarmChanged // they are to wait again, for another time
	alarmEnded   // nothing: their threads end
)

// set turns the alarm on, to ring at when and then every period, or off. It
// reports whether it was on and had not yet rung, or, if periodic, was on.
func (a *alarm) set(t *Thread, on bool, when, period clock) (running bool) {
	a.latch.lock()
	defer a.latch.unlock()
	a.ring(t.now()) // what is due is not changed any more
	running = a.on && (a.period != 0 || t.now() < a.when)
	switch {
	case !on:
		a.release(alarmStopped)
	case when < a.when:
		a.release(alarmChanged)
	}
	a.on, a.when, a.period = on, when, period
	return running
}

// ring rings if it is time: for all who wait, or, if periodic, for the first one.
// Called with the latch held.
func (a *alarm) ring(now clock) {
	switch {
	case !a.on || now < a.when:
	case a.period == 0:
		a.release(alarmRang)
	case !a.queue.empty():
		a.queue.first.n = alarmRang
		a.queue.release()
		a.next(now)
	}
}

// next leaves out, of the times at which a periodic alarm rings, those that have
// passed. Called with the latch held.
func (a *alarm) next(now clock) { a.when += (1 + (now-a.when)/a.period) * a.period }

// release tells all who wait what they have got. Called with the latch held.
func (a *alarm) release(got int64) {
	for !a.queue.empty() {
		a.queue.first.n = got
		a.queue.release()
	}
}

// wait waits until the alarm rings for t, or is off. It reports whether it rang.
func (a *alarm) wait(t *Thread) bool {
	if over, rang := a.look(t); over {
		return rang
	}
	w := t.await()
	w.n = alarmChanged
	for w.n == alarmChanged {
		a.queueUp(t, w)
	}
	rang := w.n == alarmRang
	t.awaited(w, w.n != alarmEnded)
	return rang
}

// look takes what there is without waiting.
func (a *alarm) look(t *Thread) (over, rang bool) {
	a.latch.lock()
	defer a.latch.unlock()
	now := t.now()
	switch {
	case !a.on:
		return true, false
	case now < a.when || a.period != 0 && !a.queue.empty():
		return false, false
	case a.period != 0:
		a.next(now)
	}
	return true, true
}

// queueUp puts w into the queue and waits until somebody takes it out again.
func (a *alarm) queueUp(t *Thread, w *waiter) {
	a.latch.lock()
	a.queue.push(w)
	if !a.on { // it has just been stopped
		a.release(alarmStopped)
	}
	for {
		a.ring(t.now())
		deadline := a.when
		a.latch.unlock()
		if t.park(w, deadline) {
			return
		}
		a.latch.lock()
		if !w.queued {
			a.latch.unlock()
			t.park(w, never) // takes the wake that has come
			return
		}
		if w.ended {
			a.queue.remove(w)
			w.n = alarmEnded
			a.latch.unlock()
			return
		}
	}
}
