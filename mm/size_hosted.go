//go:build !metal

package mm

import (
	"errors"
	"strconv"
	"strings"
)

var errSize = errors.New("not a size such as 512M, from 1M to 8T")

// parseSize reads a number of bytes with an optional suffix K, M, G or T
// (powers of 1024).
func parseSize(s string) (uint64, error) {
	digits := strings.TrimRight(s, "KMGTkmgt")
	shift := 0
	if suffix := s[len(digits):]; suffix != "" {
		if len(suffix) > 1 {
			return 0, errSize
		}
		shift = 10 * (1 + strings.Index("KMGT", strings.ToUpper(suffix)))
	}
	n, err := strconv.ParseUint(digits, 10, 40)
	if err != nil || n > 8<<40>>shift || n<<shift < 1<<20 {
		return 0, errSize
	}
	return roundDown(n<<shift, PageSize), nil
}
