package results

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSectionsStandSideBySide(t *testing.T) {
	path := filepath.Join(t.TempDir(), "RESULTS.md")
	write := func(s Section) {
		t.Helper()
		if err := s.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	write(Section{Title: "Faults", Intro: "first try", Header: []string{"fault", "lost"}, Rows: [][]string{{"kill -9", "1"}}})
	write(Section{Title: "Rounds", Intro: "intro", Header: []string{"what", "measured"}, Rows: [][]string{{"a", "b"}}})
	write(Section{Title: "Faults", Intro: "second try", Header: []string{"fault", "lost"}, Rows: [][]string{{"kill -9", "0"}}})
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const want = `# Failover figures

## Rounds

intro

| what | measured |
|---|---|
| a | b |

## Faults

second try

| fault | lost |
|---|---|
| kill -9 | 0 |
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNoPathWritesNothing(t *testing.T) {
	if err := (Section{Title: "x"}).Write(""); err != nil {
		t.Fatal(err)
	}
}
