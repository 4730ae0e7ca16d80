package conformance

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A leveller makes equal what may differ in two replies, and nothing else. What it
// does not expect it leaves as it is, so that it stays a difference.
type leveller func(direct, front *node)

// each does the same to both replies.
func each(f func(nd *node)) leveller {
	return func(direct, front *node) { f(direct); f(front) }
}

// deep does the same to every node of both replies.
func deep(f func(nd *node)) leveller {
	var walk func(nd *node)
	walk = func(nd *node) {
		f(nd)
		for i := range nd.items {
			walk(&nd.items[i])
		}
	}
	return each(walk)
}

// pongs makes Redis' refusal of a PING, to a user who may not, equal to its answer.
func pongs(direct, front *node) {
	if direct.kind == '-' && strings.HasPrefix(direct.text, "NOPERM ") && front.kind != '-' && len(front.items) == 0 {
		*front = *direct
	}
}

// anyInteger lets integers differ at will.
var anyInteger = deep(func(nd *node) {
	if _, err := strconv.ParseInt(nd.text, 10, 64); err == nil && nd.kind == ':' {
		nd.text = "0"
	}
})

// anyNumber lets numbers differ at will, in whatever type they come.
var anyNumber = deep(func(nd *node) {
	if _, err := strconv.ParseFloat(nd.text, 64); err == nil && strings.IndexByte(":$+,", nd.kind) >= 0 {
		nd.text = "0"
	}
})

// near lets integers, or numbers in strings, differ by so much.
func near(by float64) leveller {
	var walk leveller
	walk = func(a, b *node) {
		x, err1 := strconv.ParseFloat(a.text, 64)
		y, err2 := strconv.ParseFloat(b.text, 64)
		if err1 == nil && err2 == nil && a.kind == b.kind && math.Abs(x-y) <= by && (x < 0) == (y < 0) {
			b.text = a.text
		}
		for i := range min(len(a.items), len(b.items)) {
			walk(&a.items[i], &b.items[i])
		}
	}
	return walk
}

// anyText lets bulk strings differ at will; their number and places must agree.
var anyText = deep(func(nd *node) {
	if nd.kind == '$' && !nd.null {
		nd.text = "x"
	}
})

// anyHex lets strings of hex digits differ that are of one length.
var anyHex = deep(func(nd *node) {
	nd.text = hexDigits.ReplaceAllStringFunc(nd.text, func(s string) string { return strings.Repeat("f", len(s)) })
})

var hexDigits = regexp.MustCompile(`^[0-9a-f]{8,}$`)

// anyOrder lets the items of arrays and sets come in any order, at every level.
var anyOrder = each(func(nd *node) { sortItems(nd, 1) })

// anyPairOrder is anyOrder for names with values: a RESP2 array or a RESP3 map.
var anyPairOrder = each(func(nd *node) { sortItems(nd, 2) })

// sortItems sorts the items, so many together, and those below one by one: what
// belongs to which is not compared there, only what there is.
func sortItems(nd *node, together int) {
	for i := range nd.items {
		sortItems(&nd.items[i], 1)
	}
	if together == 1 && nd.kind == '%' {
		together = 2
	}
	if len(nd.items)%together != 0 {
		return
	}
	chunks := slices.Collect(slices.Chunk(slices.Clone(nd.items), together))
	slices.SortStableFunc(chunks, func(a, b []node) int { return strings.Compare(a[0].render(), b[0].render()) })
	nd.items = slices.Concat(chunks...)
}

// anyAt lets the values behind these names differ, wherever the names stand in an
// array or a map.
func anyAt(names ...string) leveller {
	return deep(func(nd *node) {
		for i := 0; i+1 < len(nd.items); i++ {
			if v := &nd.items[i+1]; slices.Contains(names, nd.items[i].text) && !v.aggregate() {
				v.text = "x"
			}
		}
	})
}

// lines does something to each line of a text, which may drop it ("").
func lines(sep string, f func(line string) string) leveller {
	return deep(func(nd *node) {
		if nd.kind != '$' && nd.kind != '=' {
			return
		}
		format, text := "", nd.text
		if nd.kind == '=' && len(text) >= 4 {
			format, text = text[:4], text[4:] // "txt:"
		}
		var out []string
		for line := range strings.SplitSeq(text, sep) {
			if line = f(line); line != "" {
				out = append(out, line)
			}
		}
		nd.text = format + strings.Join(out, sep)
	})
}

// matched replaces what a pattern matches in every text.
func matched(pattern, by string) leveller {
	re := regexp.MustCompile(pattern)
	return deep(func(nd *node) { nd.text = re.ReplaceAllString(nd.text, by) })
}

// all does one after the other.
func all(levellers ...leveller) leveller {
	return func(direct, front *node) {
		for _, l := range levellers {
			l(direct, front)
		}
	}
}
