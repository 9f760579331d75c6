package stackmap

// What TestCheck checks: functions that may leave (passing_test.go) and that
// must not (refused_test.go).

const goHeap = "a pointer into the Go heap"

// cases are functions that call leave, and what is refused, "" if nothing.
var cases = []struct {
	name string
	f    func()
	want string
}{
	{"live Sprintf result", liveSprintf, goHeap},
	{"live slice", liveSlice, goHeap},
	{"live map", liveMap, goHeap},
	{"live channel", liveChannel, goHeap},
	{"escaping closure", escapingClosure, goHeap},
	{"defer in a loop", deferLoop, "recorded in the Go heap"},
	{"strings.Builder", builder, goHeap},
	{"error", liveError, goHeap},
	{"error behind a pointer", errorBehindPointer, goHeap},
	{"sort.Slice", sortSlice, goHeap},
	{"escaping iterator", escapingIterator, goHeap},
	{"pointer in an array behind a pointer", arrayBehindPointer, goHeap},
	{"argument of a deferred call", deferArgument, goHeap},
	{"panic with a heap value", panicHeap, goHeap},
	{"faulted, with a deferred call that needs a pointer", faultDefer, "faultDefer"},
	{"faulted, with a result", func() { keep(faultResult()) }, "faultResult"},
	{"defer in the body of an iterator", deferInIterator, "recorded in the Go heap"},
	{"method value made by reflect", reflectMethod, goHeap},
	{"function made by reflect", reflectFunction, goHeap},
	{"called by reflect", calledByReflect, goHeap},

	{"numbers", numbers, ""},
	{"arrays", arrays, ""},
	{"slice that stays", localSlice, ""},
	{"closure that stays", localClosure, ""},
	{"constant strings", constantStrings, ""},
	{"dead Sprintf result", deadSprintf, ""},
	{"length of a Sprintf result", lengthOfSprintf, ""},
	{"time.Time", times, ""},
	{"nil error", nilError, ""},
	{"generics", generics, ""},
	{"defer", deferPlain, ""},
	{"panicking", panicStatic, ""},
	{"panicking at a fault", panicFault, ""},
	{"panicking while panicking", panicTwice, ""},
	{"recovered", recovered, ""},
	{"recovered, and on the way out", recoveredLeaving, ""},
	{"slices.SortFunc", sortFunc, ""},
	{"107 frames", func() { deep(105) }, ""},
	{"recursion with pointers into callers", func() { pointers(50, nil) }, ""},
	{"method value", methodValue, ""},
	{"big frame", bigFrame, ""},
	{"variadic", variadic, ""},
	{"iterator that stays", localIterator, ""},
	{"interface with a static itab", staticInterface, ""},
	{"dead error behind a pointer", deadBehindPointer, ""},
	{"variable written later", neverReported, ""},
	{"register spilled later", spilledLater, ""},
	{"jump table", jumps, ""},
}

var (
	n        = 3
	intSink  int
	anySink  any
	funcSink func() int
	strSink  string
)
