// Package entropy makes random numbers of what several sources say, so that one source
// that nobody can guess is enough, and those that somebody can guess, or has chosen, do no
// harm.
//
// It is the construction of Linux's random.c. What sources say is hashed together with
// BLAKE2s (RFC 7693), keyed with the present key, which gives the next key: who does not
// know the key before, or does not know what was mixed in, does not know the key after.
// Numbers are a ChaCha20 stream (RFC 8439) of that key. The stream's first bytes replace the
// key before any others are handed out, and those are forgotten as they are, so that who
// learns the state learns nothing about earlier numbers (D. J. Bernstein, "Fast-key-erasure
// random-number generators", 2017).
//
// A source is counted by the bits that its owner vouches for. To be unpredictable takes 256
// of them from one call of Mix: what drops in by less, while numbers are handed out, could
// be found piece by piece.
//
// Nothing here allocates or waits; a Pool is guarded by whoever has it.
package entropy
