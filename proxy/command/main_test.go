package command

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// args splits a line at its blanks.
func args(line string) [][]byte {
	var out [][]byte
	start := -1
	for i := 0; i <= len(line); i++ {
		if i == len(line) || line[i] == ' ' {
			if start >= 0 {
				out = append(out, []byte(line[start:i]))
			}
			start = -1
		} else if start < 0 {
			start = i
		}
	}
	return out
}
