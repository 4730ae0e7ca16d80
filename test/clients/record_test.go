package clients

import (
	"fmt"
	"sync"
	"testing"
)

// recorded collects what all tests have measured.
var recorded table

type table struct {
	mu   sync.Mutex // guards rows
	rows [][]string
}

// row adds a line: what was tried, what was done to it, and what came of it.
func (tab *table) row(t *testing.T, what, ordeal, format string, args ...any) {
	t.Helper()
	figure := fmt.Sprintf(format, args...)
	t.Logf("%s; %s: %s", what, ordeal, figure)
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.rows = append(tab.rows, []string{what, ordeal, figure})
}

func (tab *table) write() error { return nil }
