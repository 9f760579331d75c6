// Package ramfs is the machine's file system: files, folders and links in
// memory, with the semantics of a local file system of Linux for one user, root.
//
// In reading order:
//
//   - memory.go, slab.go: where the memory comes from; pieces of pages
//   - node.go: what a file is, and its life
//   - pages.go: the content of regular files
//   - folder.go: names
//   - walk.go: paths
//   - live.go: folders and links that follow something outside
//   - change.go: making, linking, renaming, removing
//   - watch.go, eventqueue.go: who is told of all that (inotify)
//
// # Invariants
//
//   - Nothing lies in Go's heap, and nothing stores a Go pointer: everything
//     refers to everything else by address. So system-call handlers may use all
//     of it, and there are no write barriers. TestKernelCode (kernel) checks that.
//   - One lock of the caller's guards the whole package, package variables
//     included.
//   - A node lives while a name leads to it or somebody holds it (Hold). Its
//     pages go back when it dies.
//   - A folder's entries are in the order in which they were made, each with a
//     cookie that never changes, so reading a folder while names come and go
//     neither repeats nor misses those that stay.
//
// # Caveats
//
// Permission bits are kept but not enforced: the one user is root. Sizes of
// folders are 0. Those who watch a folder hear of a file with several names by the
// newest, and of a removed file that is still open nothing more.
package ramfs
