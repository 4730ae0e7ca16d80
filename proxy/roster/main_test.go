package roster

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// words makes a command of its words.
func words(w ...string) [][]byte {
	args := make([][]byte, len(w))
	for i := range w {
		args[i] = []byte(w[i])
	}
	return args
}
