package config

// longestName bounds what Nearest compares, whose cost is that of the lengths
// multiplied; no key is half as long.
const longestName = 64

// Nearest gives the candidate that name is most likely a misspelling of, or ""
// if none is near enough. Of two that are equally near, the first wins.
func Nearest(name string, candidates []string) string {
	if len(name) > longestName {
		return ""
	}
	best, bestDistance := "", len(name)/3+1
	for _, candidate := range candidates {
		if d := distance(name, candidate); d < bestDistance || d == bestDistance && best == "" {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance counts the single-byte insertions, deletions and replacements and the
// swaps of neighbours that turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			replace := previous[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			current[j] = min(previous[j]+1, current[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(b)]
}
