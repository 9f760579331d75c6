package proclet

import (
	"errors"
	"fmt"
	"testing"
)

// quotaError is an error with something in it.
type quotaError struct {
	User  string
	Limit []int
}

func (e *quotaError) Error() string { return fmt.Sprint(e.User, " is over ", e.Limit) }

// codeError is an error that cannot be compared.
type codeError struct{ Codes []string }

func (e codeError) Error() string { return fmt.Sprint("codes ", e.Codes) }

var errOfTest = errors.New("proclet: an error of a test")

func init() {
	RegisterErrorType[*quotaError]()
	RegisterErrorType[codeError]()
	RegisterErrors(errOfTest)
}

type failing struct{ name String }

// Fail returns errors of all kinds.
func (f *failing) Fail(t *Thread, how int) (int, error) {
	if err := f.name.Set(t, "user"); err != nil {
		return 0, err
	}
	quota := &quotaError{f.name.String(), []int{how}} // refers to the heap
	switch how {
	case 0:
		return 0, quota
	case 1:
		return 0, codeError{[]string{f.name.String(), "b"}}
	case 2:
		return 0, fmt.Errorf("wrapped: %w and %w", quota, errOfTest)
	case 3:
		return 0, fmt.Errorf("twice: %w", fmt.Errorf("%w, %w", codeError{[]string{"x"}}, quota))
	}
	return 0, errOfTest
}

// Errors of registered types arrive by value, wherever the proclet lives.
func TestErrorTypes(t *testing.T) {
	_, rts := newSegment(t, 2)
	th := rts[0].Current()
	for _, rt := range rts {
		ref := mustNew[failing](t, th, Options{On: rt.self})
		for how, want := range []struct {
			text        string
			quota, code bool
			sentinel    bool
		}{
			{"user is over [0]", true, false, false},
			{"codes [user b]", false, true, false},
			{"wrapped: user is over [2] and proclet: an error of a test", true, false, true},
			{"twice: codes [x], user is over [3]", true, true, false},
			{"proclet: an error of a test", false, false, true},
		} {
			_, err := Call(th, ref, (*failing).Fail, how)
			var quota *quotaError
			var code codeError
			if err == nil || err.Error() != want.text || errors.As(err, &quota) != want.quota || errors.As(err, &code) != want.code || errors.Is(err, errOfTest) != want.sentinel {
				t.Errorf("Fail(%d) = %T %v", how, err, err)
				continue
			}
			if want.quota && (quota.User != "user" || len(quota.Limit) != 1 || quota.Limit[0] != how) {
				t.Errorf("Fail(%d): %+v", how, quota)
			}
		}
		if _, err := Call(th, ref, (*failing).Fail, 0); !errors.As(err, new(*quotaError)) || errors.As(err, new(*MethodError)) {
			t.Errorf("an error of a registered type = %T", err)
		}
		if _, err := Call(th, ref, (*failing).Fail, 4); err != errOfTest {
			t.Errorf("a registered error = %T %v", err, err)
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("an error type that cannot travel was registered")
			}
		}()
		RegisterErrorType[*MethodError]()
	}()
}
