package roster

import (
	"bytes"
	"strconv"
)

// cString is b as C reads it: up to its first NUL.
func cString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// is says whether b, as a C string, is the lower-case word in any case of ASCII
// letters (strcasecmp in the C locale, where no other byte has a case).
func is(b []byte, word string) bool {
	b = cString(b)
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// integer reads a number by the rules of Redis 7.0 util.c string2ll: only the form
// in which a number of 64 bits is written, so no plus, no leading zero, no -0.
func integer(b []byte) (n int64, ok bool) {
	const most = 20 // bytes: a sign and 19 digits
	if len(b) > most {
		return 0, false
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return 0, false
	}
	var canonical [most]byte
	if !bytes.Equal(strconv.AppendInt(canonical[:0], n, 10), b) {
		return 0, false
	}
	return n, true
}
