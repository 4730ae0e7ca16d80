package workload

import (
	"strconv"
	"strings"
)

// padding is what fills a value up.
const padding = "."

// valueOf gives the n-th value: the number, filled up to size bytes behind a colon.
func valueOf(n, size int) string {
	number := strconv.Itoa(n)
	if rest := size - len(number) - 1; rest >= 0 {
		return number + ":" + strings.Repeat(padding, rest)
	}
	return number
}

// numberOf gives the number of a value that valueOf may have made, as text of its own,
// so that the padding need not be kept. Anything else comes back whole.
func numberOf(element string, size int) string {
	number, fill, padded := strings.Cut(element, ":")
	if !padded || len(element) != size || strings.Trim(fill, padding) != "" {
		return element
	}
	return strings.Clone(number)
}
