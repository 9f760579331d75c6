package proclet

import (
	"time"
	"unsafe"
)

// credits bound how many asynchronous calls of a machine are on their way at the
// same time. One who wants to make another one waits: so a caller that floods is
// slowed down to what is executed. Calls that are made by asynchronous calls must
// not form cycles longer than that.
type credits chan struct{}

const asynchronousCalls = 4096

// Post makes a call whose result nobody wants, neither its error. It returns when
// the call is on its way, or waits, if too many are. It is executed once, unless this
// machine dies before it has been sent, or the proclet ends or dies: then not at all, or perhaps
// in part. Posts of one thread to one proclet may be executed in any order, and at
// the same time.
//
// The errors are those that say that the call was not made, such as ErrType.
func Post[S, A, R any](t *Thread, ref Ref[S], method func(*S, *Thread, A) (R, error), arg A) error {
	return t.post(ref.id, signatureOf[S, A, R]{}, closureOf(unsafe.Pointer(&method)), noescape(unsafe.Pointer(&arg)))
}

func (t *Thread) post(id ID, sig signature, fn *closure, arg unsafe.Pointer) error {
	a, err := t.begin(id, sig, fn, arg)
	if err != nil {
		return err
	}
	go func() {
		defer a.end()
		if answer, err := a.rt.askOnce(a.id, a.sent, a.msg); err == nil && answer[0] == answerDone {
			a.rt.abandonEncoded(a.ct.res, &decoder{answer[1:]})
		}
	}()
	return nil
}

// asynchronous is a call that is to be made by a goroutine of this machine.
type asynchronous struct {
	rt   *Runtime
	id   ID
	ct   *callTypes
	loan *loan
	sent slot
	msg  []byte
}

// begin prepares an asynchronous call, and waits until it may be made. It is a safe
// point.
func (t *Thread) begin(id ID, sig signature, fn *closure, arg unsafe.Pointer) (*asynchronous, error) {
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, 2*time.Millisecond) {
		a, err := t.tryBegin(id, sig, fn, arg)
		if a != nil || err != nil {
			return a, err
		}
		t.Sleep(pause) // with nothing of this machine at hand, because t may move
	}
}

// tryBegin is begin, but returns nil if t, a method's, has to wait for a credit.
func (t *Thread) tryBegin(id ID, sig signature, fn *closure, arg unsafe.Pointer) (*asynchronous, error) {
	ct, err := typesOf(sig)
	if err != nil {
		return nil, err
	}
	l, err := t.lend(id, ct.arg, arg) // a safe point
	if err != nil {
		return nil, err
	}
	rt := t.runtime()
	if t.heap == nil {
		rt.credits <- struct{}{}
	} else {
		select {
		case rt.credits <- struct{}{}:
		default:
			l.end()
			return nil, nil
		}
	}
	a := &asynchronous{rt: rt, id: id, loan: l}
	if a.ct, err = typesOf(sig); err == nil {
		a.sent, a.msg, err = rt.callMessage(t, id, a.ct, fn, arg, make([]byte, 0, messageRoom))
	}
	if err != nil {
		a.end()
		return nil, err
	}
	return a, nil
}

// end gives back what an asynchronous call has needed.
func (a *asynchronous) end() {
	a.loan.end()
	<-a.rt.credits
}
