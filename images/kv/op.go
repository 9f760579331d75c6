package main

// Verb says what an Op does to a shard.
type Verb uint8

const (
	Get     Verb = iota // value of Key, or Nil
	GetDel              // value of Key, or Nil; Key is gone afterwards
	Set                 // Key = Value under If; Expires 0 means never
	Delete              // 1 if Key was there, else 0
	Exists              // 1 if Key is there, else 0
	Add                 // integer at Key += N, result the sum
	Append              // value of Key += Value, result the new length
	Length              // length of the value of Key, 0 when missing
	Expire              // sets when Key expires (0: never); 1 if Key was there and, for Persist, had an expiry
	Persist             // removes the expiry
	Expires             // when Key expires in ms, 0 never, -2 when Key is missing
	Count               // keys in the shard
	Flush               // removes all keys of the shard
	Scan                // up to N keys after position Cursor, in hash order
)

// Condition restricts a Set.
type Condition uint8

const (
	Always    Condition = iota
	IfMissing           // NX
	IfPresent           // XX
)

// Op is one operation on one shard. Any number of them travel in one call and
// are carried out in order with nothing in between.
type Op struct {
	Do      Verb
	If      Condition
	KeepTTL bool // Set leaves the expiry of an existing key
	Old     bool // Set answers with the value before
	Key     string
	Value   string
	N       int64  // Add: the increment; Scan: how many keys
	Expires int64  // Set, Expire: Unix milliseconds, 0 for never
	Cursor  uint64 // Scan: hash of the last key seen
}

// Kind is the type of a Reply.
type Kind uint8

const (
	Nil    Kind = iota // no value, or a Set whose condition did not hold
	OK                 // done
	Int                // N
	Text               // Text
	Failed             // Text is an error message in the Redis form
	Page               // Keys and the next Cursor in N, 0 at the end of the shard
)

// Reply is the result of one Op.
type Reply struct {
	Kind Kind
	N    int64
	Text string
	Keys []string
}

func failed(text string) Reply { return Reply{Kind: Failed, Text: text} }
func integer(n int64) Reply    { return Reply{Kind: Int, N: n} }
func text(s string) Reply      { return Reply{Kind: Text, Text: s} }

func boolean(b bool) Reply {
	if b {
		return integer(1)
	}
	return integer(0)
}

// hash is 64-bit FNV-1a with a final mix. It is the same on every machine and
// at every start: it decides which shard has a key and in which order SCAN
// visits the keys.
func hash(key string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(key); i++ {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// scanBits is how much of a key's hash a cursor holds; the rest of its 64 bits
// is the number of the shard.
const scanBits = 48

// position of a key in SCAN's order within its shard, never 0.
func position(key string) uint64 { return hash(key)&(1<<scanBits-1) | 1 }
