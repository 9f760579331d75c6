// Package mm owns memory: physical frames, page tables, proclet heaps and
// their allocator. It is the only package that knows addresses.
package mm
