package proclet

// Bind gives name to the proclet that ref refers to, in the whole rack. If the
// name is taken the error is ErrNameTaken.
func Bind[S any](t *Thread, name string, ref Ref[S]) error { panic("proclet: being written") }

// Lookup returns the proclet that name was bound to. ErrNoName if there is
// none, ErrType if it has another state type.
func Lookup[S any](t *Thread, name string) (Ref[S], error) { panic("proclet: being written") }

// Singleton returns the proclet bound to name; if there is none it calls create
// and binds what that made. When several machines do this at once all get the
// same proclet, and the others are destroyed.
func Singleton[S any](t *Thread, name string, create func(*Thread) (Ref[S], error)) (Ref[S], error) {
	panic("proclet: being written")
}
