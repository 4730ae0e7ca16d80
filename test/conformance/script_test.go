package conformance

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// words splits a line as Redis splits an inline command (sds.c sdssplitargs):
// "..." with \xHH \n \r \t \" \\ and '...' with \'.
func words(line string) ([]string, error) {
	var out []string
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimSpace(rest) {
		word, n, err := firstWord(rest)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		out = append(out, word)
		rest = rest[n:]
	}
	return out, nil
}

func mustWords(line string) []string {
	w, err := words(line)
	if err != nil {
		panic(err)
	}
	return w
}

func firstWord(s string) (word string, n int, err error) {
	switch s[0] {
	case '"':
		return quoted(s)
	case '\'':
		end := strings.IndexByte(s[1:], '\'')
		if end < 0 {
			return "", 0, fmt.Errorf("open quote")
		}
		return s[1 : 1+end], end + 2, nil
	}
	n = strings.IndexAny(s, " \t")
	if n < 0 {
		n = len(s)
	}
	return s[:n], n, nil
}

func quoted(s string) (word string, n int, err error) {
	var b []byte
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return string(b), i + 1, nil
		case c == '\\' && i+3 < len(s) && s[i+1] == 'x':
			v, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
			if err != nil {
				return "", 0, err
			}
			b = append(b, byte(v))
			i += 3
		case c == '\\' && i+1 < len(s):
			i++
			if k := strings.IndexByte("nrtab", s[i]); k >= 0 {
				b = append(b, "\n\r\t\a\b"[k])
			} else {
				b = append(b, s[i])
			}
		default:
			b = append(b, c)
		}
	}
	return "", 0, fmt.Errorf("open quote")
}

// listing is a text file of cases without its comments.
type listing struct {
	file  string
	lines []listed
}

type listed struct {
	number int
	text   string
}

// readListing reads a file of cases: # at the start of a line begins a comment.
func readListing(t testing.TB, path string) listing {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := listing{file: path}
	for i, text := range strings.Split(string(body), "\n") {
		if text = strings.TrimSpace(text); text != "" && text[0] != '#' {
			out.lines = append(out.lines, listed{i + 1, text})
		}
	}
	return out
}

// commandsOf splits a line at its semicolons into commands. %n% makes a word of n
// bytes.
func commandsOf(text string) ([][]string, error) {
	w, err := words(text)
	if err != nil {
		return nil, err
	}
	var out [][]string
	var one []string
	for _, word := range append(w, ";") {
		if word != ";" {
			one = append(one, long(word))
			continue
		}
		if len(one) == 0 {
			return nil, fmt.Errorf("%q: an empty command", text)
		}
		out = append(out, one)
		one = nil
	}
	return out, nil
}

func long(word string) string {
	if len(word) > 2 && word[0] == '%' && word[len(word)-1] == '%' {
		if n, err := strconv.Atoi(word[1 : len(word)-1]); err == nil {
			return strings.Repeat("0123456789", n/10+1)[:n]
		}
	}
	return word
}
